"""A module: def not_a_function(): in a string."""
import contextlib


@contextlib.contextmanager
def decorated(path):
    with open(path) as file:
        yield file


class Reader:
    def __init__(self, path):
        self.path = path

    async def read(self, n):
        async with self.lock:
            for _ in range(n):
                if n > 3:
                    return 1
                elif n > 2:
                    return 2
                else:
                    if n:
                        return 3
        return [x for x in range(n) if x]


def outer(n):
    def inner(k):
        while k:
            k -= 1
        return k

    try:
        return inner(n)
    except ValueError:
        if n:
            return 0
    return (
        n
    )


one_line = lambda x: x + 1  # noqa


def flat(): return 1
