def python2(n):
    if n:
        for i in range(n):
            print "two", i
    return n

class A:
    def method(self):
        print "x"
