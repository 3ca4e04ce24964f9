"""docs/operating/faults.md against the tree; and J5: secrets are compared in one place."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operating" / "faults.md"
PROMISED = ("A1 A2 A3 A4 A5 A13 A14 B1 B4 B7 C1 C3 C4 C6 C7 C8 G4 H1 H2 H6 I3 J3 J5").split()
ROW = re.compile(r"^\| ([A-K]\d+) \|(.*)\|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+|[A-Z]\w+\.[A-Z]\w+)`")
CPP_TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def sources(pattern: str, *folders: str) -> list[pathlib.Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob(pattern))]


def names_of_the_tree() -> set[str]:
    found = set()
    for path in sources("test_*.py", "tests", "python/tests"):
        found.update(PYTHON_TEST.findall(path.read_text()))
    for path in sources("*_test.cc", "src", "cpp", "tests"):
        found.update(f"{suite}.{name}" for suite, name in CPP_TEST.findall(path.read_text()))
    return found


def rows() -> dict[str, set[str]]:
    return {row: set(NAMED.findall(rest)) for row, rest in ROW.findall(PAGE.read_text())}


def carries(test: str, row: str) -> bool:
    """Whether the name of a test has the row's id in it."""
    if test.startswith("test_"):
        return f"_{row.lower()}_" in test
    return re.search(rf"{row}(?!\d)", test) is not None


def test_every_row_has_its_tests_and_they_exist() -> None:
    there = names_of_the_tree()
    assert len(there) > 500, "the tree is searched"
    assert list(rows()) == PROMISED
    for row, named in rows().items():
        assert named, f"{row} has no test"
        assert named <= there, f"{row}: {sorted(named - there)} are not there"
        for test in named:
            assert carries(test, row), f"{test} does not say {row}"


@pytest.mark.parametrize("row", PROMISED)
def test_what_drives_the_real_binary_is_named(row: str) -> None:
    real = {test for path in sources("test_*.py", "tests/e2e")
            for test in PYTHON_TEST.findall(path.read_text()) if carries(test, row)}
    assert real <= rows()[row], f"{sorted(real - rows()[row])} are not on the page"
    assert real or row == "J5"


SECRET = re.compile(r"(?i)(token|secret|sha256|password)")
COMPARED = re.compile(r"([\w.>()\[\]:*-]*\w[\w.>()\[\]:*-]*)\s*([!=]=)\s*([\w.>()\[\]:*-]*\w)")
# No secrets: the hash of a request, counts of a model's tokens, what went wrong with a token.
PUBLIC = re.compile(r"request_sha256|\btokens\b|\.size\(\)|error\(\)\.code\(\)")


def suspicious(line: str) -> bool:
    code = line.split("//")[0]
    if PUBLIC.search(code):
        return False
    return any(SECRET.search(m[1]) or SECRET.search(m[3]) for m in COMPARED.finditer(code)) or (
        "memcmp" in code and "CRYPTO_memcmp" not in code)


def test_j5_secrets_are_compared_by_one_function() -> None:
    uses = {path.relative_to(ROOT).as_posix(): path.read_text()
            for path in sources("*.cc", "src") if "_test" not in path.name}
    callers = [name for name, text in uses.items() if "constant_time_equal(" in text]
    compares = [name for name, text in uses.items() if "CRYPTO_memcmp(" in text]
    assert len(compares) == 1 and compares[0].endswith("crypto.cc"), compares
    body = re.search(r"bool constant_time_equal\(.*?\n}", uses[compares[0]], re.DOTALL)
    assert body and "CRYPTO_memcmp" in body[0]
    assert {name.split("/")[1] for name in callers} >= {"security", "node"}
    found = [f"{name}: {line.strip()}" for name, text in uses.items()
             if name.split("/")[1] in ("api", "security", "node", "app")
             for line in text.splitlines() if suspicious(line)]
    assert found == []


@pytest.mark.parametrize("line", ["if (token == expected_token_) return true;",
                                  "return std::memcmp(a.data(), b.data(), n) == 0;",
                                  "ok = claim.token_sha256 != start.token_sha256;"])
def test_j5_a_comparison_elsewhere_would_be_found(line: str) -> None:
    assert suspicious(line)
