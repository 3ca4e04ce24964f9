#include <stdio.h>
#define OPEN {                       /* never counted */

struct point { int x, y; };
static const int table[] = { 1, 2, 3 };
enum color { RED, GREEN };

/* a comment with { and "quotes */
static int
add(int a, int b)
{
    return a + b;
}

int one_line(void) { return '{'; }

struct point make_point(int x) {
    struct point p = { .x = x, .y = 0 };
    return p;
}

int classify(int n)
{
    if (n < 0) {
        for (int i = 0; i < n; i++) {
            if (i % 2)
                puts("odd }}}");
            else if (i == 4)
                puts("four");
            else
                puts("even");
        }
    } else if (n == 0) {
        return 0;
    }
    return 1;
}

int braceless(int n) {
    for (int i = 0; i < n; i++)
        while (n > i)
            if (n == 7) return i;
    if (n) return 1;
    return 0;
}

int loops(int n) {
    do {
        n--;
    } while (n > 0);
    switch (n) {
    case 0:
        if (n) { n++; }
        break;
    default:
        break;
    }
    do n++; while (n < 3);
    return n;
}

#ifdef WINDOWS
int platform(int a) {
#else
int platform(int b) {
#endif
    return 1;
}

#if 0
int switched_off(void) {
#endif

int (*pick(int n))(int, int) {
    return n ? add : add;
}
