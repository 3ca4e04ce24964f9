"""examples/code_review: its answers, through the real daemon, against git's own and hand counts."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from example_project import EXAMPLES, ExampleProject, table_rows
from repos import Repo, numbered

SAMPLES = EXAMPLES / "code_review" / "tests" / "samples"


@pytest.fixture(scope="module")
def project(binary, tmp_path_factory):
    made = ExampleProject(binary, tmp_path_factory.mktemp("answers") / "project", "code_review")
    try:
        made.up()
        made.wait_agents()
        yield made
    finally:
        made.clean_up()


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "repo")


def numstat(folder, *arguments: str) -> list[tuple[str, str, bytes]]:
    """(added, deleted, path) of each change, as git prints them; NUL-terminated, so exact."""
    text = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(folder), "log", "--numstat",
                           "--no-renames", "-z", "--format=", *arguments], capture_output=True,
                          check=True, timeout=60).stdout
    rows = [r.lstrip(b"\n").split(b"\t", 2) for r in text.split(b"\0") if r.strip(b"\n")]
    return [(a.decode(), d.decode(), p) for a, d, p in rows]


def churn_of(folder) -> dict[str, tuple[int, int]]:
    """Lines changed and commits by path, renames not followed."""
    lines: Counter = Counter()
    commits: Counter = Counter()
    for added, deleted, path in numstat(folder):
        name = path.decode("utf-8", "backslashreplace")
        commits[name] += 1
        lines[name] += 0 if added == "-" else int(added) + int(deleted)
    return {name: (lines[name], commits[name]) for name in commits}


def followed(folder, path: str) -> tuple[int, int]:
    """The same for one file by git's own --follow."""
    text = subprocess.run(["git", "-C", str(folder), "log", "--follow", "-M", "--numstat",
                           "--format=", "--", path], capture_output=True, text=True, check=True,
                          timeout=60).stdout
    rows = [line.split("\t") for line in text.splitlines() if line]
    return sum(int(a) + int(d) for a, d, _ in rows if a != "-"), len(rows)


def by_path(project, done) -> dict[str, dict]:
    assert done.code == 0, done.said
    found = project.analysed(done.id)
    assert len({f["path"] for f in found}) == len(found)
    return {f["path"]: f for f in found}


def figures(files: dict[str, dict]) -> dict[str, tuple[int, int]]:
    return {path: (f["churn"], f["commits"]) for path, f in files.items()}


# ---- churn ----------------------------------------------------------------------------------


def test_churn_agrees_with_git_in_every_place_that_shows_it(project, repo):
    for n in range(1, 16):
        repo.commit(f"c{n}", {f"d{n % 4}/f{k}.py": numbered(n * 3 + k, f"w{n % 3} = {k} + ")
                              for k in range(n)}, author="AB"[n % 2])
    done = project.review(repo.folder)
    expected = churn_of(repo.folder)
    assert figures(by_path(project, done)) == expected
    spots = done.hotspots["hottest"]
    assert len(spots) == 10
    assert {s["path"]: (s["churn"], s["commits"]) for s in spots} == {
        s["path"]: expected[s["path"]] for s in spots}
    rows = table_rows(done.artifact("report.md"))
    assert [(r[2], int(r[3]), int(r[4])) for r in rows] == [
        (s["path"], s["churn"], s["commits"]) for s in spots]
    assert sum(lines for lines, _ in expected.values()) == sum(
        int(a) + int(d) for a, d, _ in numstat(repo.folder))
    for path, (lines, commits) in ((s["path"], expected[s["path"]]) for s in spots):
        assert re.search(rf'<td>{re.escape(path)}</td><td class=n>{lines}</td>'
                         rf"<td class=n>{commits}</td>", done.artifact("report.html")), path


def test_a_renamed_file_keeps_its_history(project, repo):
    repo.commit("one", {"old.c": numbered(40), "other.c": numbered(5)})
    repo.git("mv", "old.c", "mid.c")
    repo.commit("two", {"mid.c": numbered(44)})
    os.makedirs(repo.folder / "src")
    repo.git("mv", "mid.c", "src/new.c")
    repo.commit("three")
    repo.commit("four", {"src/new.c": numbered(50)})
    files = by_path(project, project.review(repo.folder))
    assert figures(files) == {"src/new.c": followed(repo.folder, "src/new.c"),
                              "other.c": followed(repo.folder, "other.c")}
    assert files["src/new.c"]["churn"] == 50 and files["src/new.c"]["commits"] == 4


def test_a_merge_counts_once_and_a_binary_has_no_lines(project, repo):
    repo.commit("one", {"a.c": numbered(10), "b.c": numbered(10), "x.py": b"\0\1" * 50})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", {"a.c": numbered(15), "x.py": b"\0\2" * 50})
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"b.c": numbered(20)})
    repo.git("merge", "-q", "--no-edit", "side")
    done = project.review(repo.folder)
    files = by_path(project, done)
    assert figures(files) == churn_of(repo.folder) == {
        "a.c": (15, 2), "b.c": (20, 2), "x.py": (0, 2)}
    assert files["x.py"]["note"] == "binary"
    assert "4 commits by 1 author" in done.artifact("report.md")


def test_names_that_are_hard_to_write_down(project, tmp_path):
    names = ["with space.py", "new\nline.py", "quote\"and'.py", "größe/日本語.py", "tab\t.py",
             "<b>&amp;|`*_.py", "-rf.py", "$(touch gone).py", "\x1b[31mred.py"]
    repo = Repo(tmp_path / "a folder with 'quotes' and\nlines")
    repo.commit("one", {name: numbered(9, f"v{n}") for n, name in enumerate(names)})
    repo.commit("two", {name: numbered(4 + n, "w") for n, name in enumerate(names)})
    done = project.review(repo.folder)
    assert figures(by_path(project, done)) == churn_of(repo.folder)
    assert set(churn_of(repo.folder)) == set(names)
    page, text = done.artifact("report.html"), done.artifact("report.md")
    assert "<b>&amp;|" not in page and "&lt;b&gt;&amp;amp;|`*_.py" in page
    assert "new\\nline.py" in page and "new\nline" not in page + text
    assert "\x1b" not in page + text
    assert {r[2] for r in table_rows(text)} == {
        n.replace("\n", "\\n").replace("\t", "\\t").replace("\x1b", "\\x1b") for n in names}
    assert sorted(p.name for p in repo.folder.iterdir() if "gone" in p.name) == [
        "$(touch gone).py"]


def test_a_shallow_clone_says_what_is_missing(project, repo, tmp_path):
    for n in range(1, 6):
        repo.commit(f"c{n}", {"a.c": numbered(n * 10)})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "2", f"file://{repo.folder}", str(clone)],
                   check=True, timeout=60, capture_output=True)
    done = project.review(clone)
    assert figures(by_path(project, done)) == churn_of(clone) == {"a.c": (50, 2)}
    for place in (done.artifact("report.md"), done.artifact("report.html"), done.summary):
        assert "the clone is shallow" in place


def test_bare_detached_and_inside_a_folder(project, repo, tmp_path):
    repo.commit("one", {"sub/deep/a.py": numbered(7)})
    first = repo.commit("two", {"sub/deep/a.py": numbered(9)})
    repo.commit("three", {"sub/deep/a.py": numbered(1)})
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repo.folder), str(bare)], check=True,
                   timeout=60, capture_output=True)
    for place in (bare, repo.folder / "sub" / "deep"):
        assert figures(by_path(project, project.review(place))) == {"sub/deep/a.py": (17, 3)}
    repo.git("checkout", "-q", first)
    done = project.review(repo.folder)
    assert figures(by_path(project, done)) == {"sub/deep/a.py": (9, 2)}
    assert first[:12] in done.artifact("report.html")


def test_a_damaged_repository_fails_the_run_and_says_so(project, repo):
    repo.commit("one", {"a.c": "int x;\n"})
    shutil.rmtree(repo.folder / ".git/objects")
    (repo.folder / ".git/objects").mkdir()
    done = project.review(repo.folder)
    assert done.code != 0
    assert str(repo.folder) in done.said and "is damaged or incomplete" in done.said, done.said


def test_a_repository_without_commits_gives_an_empty_report(project, repo):
    done = project.review(repo.folder)
    assert done.code == 0 and done.hotspots["hottest"] == []
    assert "the repository has no commits" in done.artifact("report.md")
    assert "There are no source files" in done.artifact("report.html")


# ---- what is no repository --------------------------------------------------------------------


def no_folder(tmp_path):
    return str(tmp_path / "nowhere"), "there is no folder"


def a_file(tmp_path):
    (tmp_path / "file").write_text("text")
    return str(tmp_path / "file"), "is not a folder"


def no_repository(tmp_path):
    (tmp_path / "plain").mkdir()
    return str(tmp_path / "plain"), "is not a git repository"


def nothing(tmp_path):
    return "", "expected the folder of a git repository as text, got \"\""


def a_number(tmp_path):
    return 3, "expected the folder of a git repository as text, got 3"


@pytest.mark.parametrize("case", [no_folder, a_file, no_repository, nothing, a_number])
def test_what_is_no_repository_is_named_with_what_to_do(project, tmp_path, case):
    value, words = case(tmp_path)
    done = project.run_pipeline("review", {"path": value})
    assert done.code == 1 and "run " + done.id + " failed" in done.said
    scan = project.item(done.id, "scan")
    assert scan["error"]["message"].startswith("input.path: ")
    assert words in scan["error"]["message"] and str(value) in scan["error"]["message"]
    assert "--input path=" in scan["error"]["context"]["hint"]
    assert scan["attempts_used"] == 1  # a second try would say the same
    assert words in done.said and "Result:    FAILED" in done.summary
    assert not (done.folder / "artifacts" / "report.md").exists()


def test_a_run_without_a_path_is_told_the_field(project):
    done = project.run_pipeline("review", {})
    assert done.code == 1 and "input.path: expected the folder" in done.said
    assert "got nothing" in done.said


# ---- functions --------------------------------------------------------------------------------


def test_functions_are_as_counted_by_hand(project, repo):
    from test_functions import BY_HAND
    repo.commit("one", {sample: (SAMPLES / sample).read_bytes() for sample, _ in BY_HAND})
    files = by_path(project, project.review(repo.folder))
    assert set(files) == {sample for sample, _ in BY_HAND}
    for (sample, language), counted in BY_HAND.items():
        got = files[sample]
        assert got["language"] == language
        rows = {(name, first, last - first + 1, nesting) for name, first, last, nesting in counted}
        named = {(f["name"], f["line"], f["lines"], f["nesting"]) for f in got["named"]}
        assert named <= rows and len(named) >= min(8, len(rows)), sample
        assert got["functions"] == len(rows), sample
        assert got["longest"] == max(lines for _, _, lines, _ in rows), sample
        assert got["deepest"] == max(nesting for _, _, _, nesting in rows), sample


# ---- cppcheck -----------------------------------------------------------------------------------

BROKEN_C = "int f(void) {\n  int a[2];\n  a[5] = 1;\n  return a[0];\n}\n"


def test_cppchecks_findings_are_in_the_report(project, repo):
    if shutil.which("cppcheck", path=project.env["PATH"]) is None:
        pytest.skip("skipped: cppcheck is not installed")
    repo.commit("one", {"broken.c": BROKEN_C, "good.py": "x = 1\n"})
    done = project.review(repo.folder)
    assert done.code == 0 and "Result:    SUCCEEDED" in done.summary
    for report in (done.artifact("report.md"), done.artifact("report.html")):
        assert re.search(r"broken\.c:3: .*out of bounds", report)
    assert "cppcheck has 1 finding" in done.artifact("hotspots.json")


def test_without_cppcheck_the_run_is_degraded_and_says_so(binary, tmp_path, repo):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "git").symlink_to(shutil.which("git", path="/usr/bin:/bin"))
    project = ExampleProject(binary, tmp_path / "project", "code_review")
    project.env["PATH"] = str(tools)
    repo.commit("one", {"broken.c": BROKEN_C, "b.cc": "int g() { return 1; }\n"})
    try:
        project.up()
        project.wait_agents()
        done = project.review(repo.folder)
        assert done.code == 0 and "degraded" in done.said
        lint = project.step(done.id, "lint")
    finally:
        project.clean_up()
    assert lint["state"] == "degraded" and lint["items_failed"] == lint["items_total"] == 2
    assert "Result:    DEGRADED" in done.summary
    assert "cppcheck is not installed" in " ".join(done.summary.split())
    for report in (done.artifact("report.md"), done.artifact("report.html")):
        assert re.search(r"Skipped: cppcheck\.py exited .*cppcheck is not installed", report)
    assert {s["path"] for s in done.hotspots["hottest"]} == {"broken.c", "b.cc"}
