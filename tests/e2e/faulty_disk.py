"""The test's end of fault_shim.cc: says which calls of the daemon fail, stall or come in pieces."""
from __future__ import annotations

import errno
import mmap
import pathlib
import struct
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).with_name("fault_shim.cc")
READ, WRITE, SYNC, ALLOCATE = 1, 2, 4, 8
WORDS = ("fail", "error_number", "budget", "stall", "one_in", "failed", "stalled", "interrupted",
         "shortened", "retried_syncs", "full_sockets")
SIZE = 8 * len(WORDS) + 256


def build(folder: pathlib.Path) -> pathlib.Path:
    library = folder / "fault_shim.so"
    made = subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", str(library),
                           str(SOURCE), "-ldl"], capture_output=True, text=True, timeout=120)
    if made.returncode != 0:
        pytest.fail(f"the fault shim does not compile: {made.stderr}")
    return library


class FaultyDisk:
    """Give `env` to the daemon; then say what happens to it."""

    def __init__(self, library: pathlib.Path, control: pathlib.Path) -> None:
        control.write_bytes(b"\0" * SIZE)
        with open(control, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), SIZE)
        self.env = {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(control)}

    def fail(self, operations: int, path: str, *, error: int = errno.EIO,
             times: int = 1 << 40) -> None:
        """The next `times` such operations on files whose path contains `path` fail."""
        self._set("fail", 0)
        self._aim(path)
        self._set("error_number", error)
        self._set("budget", times)
        self._set("fail", operations)

    def stall(self, operations: int, path: str) -> None:
        """They neither fail nor come back, until mend()."""
        self._aim(path)
        self._set("stall", operations)

    def hiccup(self, one_in: int) -> None:
        """One call in so many is interrupted, another as many times is cut short."""
        self._set("one_in", one_in)

    def mend(self) -> None:
        for word in ("fail", "stall", "one_in"):
            self._set(word, 0)

    def count(self, word: str) -> int:
        return struct.unpack_from("<Q", self._page, 8 * WORDS.index(word))[0]

    def _set(self, word: str, value: int) -> None:
        struct.pack_into("<Q", self._page, 8 * WORDS.index(word), value)

    def _aim(self, path: str) -> None:
        self._page[8 * len(WORDS):SIZE] = path.encode().ljust(256, b"\0")
