#!/usr/bin/python3
"""A command agent: one C or C++ file on stdin (as scout describes it), its findings on stdout.

Knows nothing of Mainstay. Exit 69 (EX_UNAVAILABLE) when cppcheck is not installed.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from review import git  # noqa: E402

EX_UNAVAILABLE = 69
EX_TEMPFAIL = 75
SECONDS = 25
TEMPLATE = "{line}\t{severity}\t{id}\t{message}"


def main() -> int:
    program = shutil.which("cppcheck")
    if program is None:
        print("cppcheck is not installed (apt-get install cppcheck)", file=sys.stderr)
        return EX_UNAVAILABLE
    file = json.load(sys.stdin)
    reader = git.BlobReader(file["root"])
    try:
        content = reader.read(file["blob"])
    except git.GitError as error:
        print(f"{file['path']}: {error}", file=sys.stderr)
        return EX_TEMPFAIL
    finally:
        reader.close()
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        name = "source.c" if file["language"] == "c" else "source.cc"
        path = os.path.join(folder, name)
        with open(path, "wb") as out:
            out.write(content)
        try:
            done = subprocess.run(
                [program, "--quiet", "--enable=warning,performance,portability",
                 "--suppress=missingInclude", "--suppress=unknownMacro",
                 "--suppress=syntaxError", "--max-configs=2", f"--template={TEMPLATE}", path],
                capture_output=True, text=True, errors="replace", timeout=SECONDS)
        except subprocess.TimeoutExpired:
            print(f"cppcheck took longer than {SECONDS} s", file=sys.stderr)
            return EX_TEMPFAIL
    json.dump({"path": file["path"], "findings": findings(done.stderr)}, sys.stdout)
    return 0


def findings(text: str) -> list:
    """The findings among cppcheck's lines."""
    out = []
    for line in text.splitlines():
        parts = line.split("\t", 3)
        if len(parts) == 4 and parts[0].isdigit():
            out.append({"line": int(parts[0]), "severity": parts[1], "id": parts[2],
                        "message": parts[3]})
    return out


if __name__ == "__main__":
    sys.exit(main())
