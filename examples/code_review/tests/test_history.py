"""Churn agrees with `git log --numstat` counted by other means."""
import subprocess
import time
from collections import defaultdict

import pytest

from repos import Repo, numbered
from review import git, history


def independent_churn(folder):
    """(churn, commits) by path as git prints it line by line; renames are not followed."""
    text = subprocess.run(["git", "-C", str(folder), "log", "--numstat", "--no-renames",
                           "--format="], capture_output=True, text=True, check=True,
                          timeout=60).stdout
    churn, commits = defaultdict(int), defaultdict(int)
    for line in filter(None, text.splitlines()):
        added, deleted, path = line.split("\t")
        commits[path] += 1
        if added != "-":
            churn[path] += int(added) + int(deleted)
    return churn, commits


def followed_churn(folder, path):
    """The same for one file by git's own --follow."""
    text = subprocess.run(["git", "-C", str(folder), "log", "--follow", "--numstat", "--format=",
                           "-M", "--", path], capture_output=True, text=True, check=True,
                          timeout=60).stdout
    rows = [line.split("\t") for line in filter(None, text.splitlines())]
    return sum(int(a) + int(d) for a, d, _ in rows if a != "-"), len(rows)


def read(repo, seconds=30.0):
    root = str(repo.folder)
    present = {f.path for f in git.tree(root)}
    return history.read(root, git.head(root), present, time.monotonic() + seconds)


def test_plain_commits(repo):
    repo.commit("one", {"a.c": numbered(10), "dir/b.py": numbered(4)}, author="Ann")
    repo.commit("two", {"a.c": numbered(12)}, author="Bob")
    repo.commit("three", {"a.c": numbered(3), "dir/b.py": numbered(9)}, author="Bob")
    (repo.folder / "dir/b.py").unlink()
    repo.commit("four", {"a.c": numbered(5)})
    got = read(repo)
    churn, commits = independent_churn(repo.folder)
    assert {p.decode(): (f.churn, f.commits) for p, f in got.files.items()} == {
        p: (churn[p], commits[p]) for p in churn}
    assert got.files[b"a.c"].authors == {"Ann": 2, "Bob": 2}
    assert got.commits == 4 and got.authors == {"Ann": 2, "Bob": 2}
    assert got.first < got.last and got.cut == ""


def test_a_rename_is_followed_over_several_names(repo):
    repo.commit("one", {"old.c": numbered(40)})
    repo.commit("two", {"old.c": numbered(42)})
    repo.git("mv", "old.c", "mid.c")
    repo.commit("three", {"mid.c": numbered(44)})
    repo.git("mv", "mid.c", "src\tnew name.c")
    repo.commit("four")
    repo.commit("five", {"src\tnew name.c": numbered(50)})
    got = read(repo).files
    assert set(got) == {b"src\tnew name.c"}
    file = got[b"src\tnew name.c"]
    assert (file.churn, file.commits) == followed_churn(repo.folder, "src\tnew name.c")
    assert file.churn == 50 and file.commits == 5 and file.renames == 2


def test_a_name_used_again_after_a_rename_is_another_file(repo):
    repo.commit("one", {"a.c": numbered(30)})
    repo.git("mv", "a.c", "b.c")
    repo.commit("two")
    repo.commit("three", {"a.c": numbered(7, "other")})
    got = read(repo).files
    assert (got[b"a.c"].churn, got[b"b.c"].churn) == (7, 30)


def test_two_files_that_swap_their_names(repo):
    repo.commit("one", {"a.c": numbered(30, "alpha"), "b.c": numbered(50, "beta")})
    repo.git("mv", "a.c", "t")
    repo.git("mv", "b.c", "a.c")
    repo.git("mv", "t", "b.c")
    repo.commit("swap", {})
    got = read(repo).files
    independent = sum(independent_churn(repo.folder)[0].values())
    assert sum(f.churn for f in got.values()) <= independent
    assert set(got) == {b"a.c", b"b.c"}


def test_a_merge_adds_nothing_of_its_own(repo):
    repo.commit("one", {"a.c": numbered(10), "b.c": numbered(10)})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", {"a.c": numbered(15)})
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"b.c": numbered(20)})
    repo.git("merge", "-q", "--no-edit", "side")
    got = read(repo)
    churn, _ = independent_churn(repo.folder)
    assert {p.decode(): f.churn for p, f in got.files.items()} == dict(churn)
    assert got.merges == 1 and got.commits == 4


def test_a_side_branch_that_still_used_the_old_name(repo):
    repo.commit("one", {"old.c": numbered(40)})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", {"old.c": numbered(43)})
    repo.git("checkout", "-q", "main")
    repo.git("mv", "old.c", "new.c")
    repo.commit("rename")
    repo.git("merge", "-q", "--no-edit", "side")
    got = read(repo).files
    assert set(got) == {b"new.c"}
    assert got[b"new.c"].churn == 43 and got[b"new.c"].commits == 3


def test_binary_files_have_commits_but_no_lines(repo):
    repo.commit("one", {"x.bin": b"\0\1\2" * 100, "a.c": "int x;\n"})
    repo.commit("two", {"x.bin": b"\0\1\3" * 100})
    got = read(repo).files[b"x.bin"]
    assert (got.churn, got.commits, got.binary_changes) == (0, 2, 2)


def test_names_that_are_not_utf8_or_look_like_records(repo):
    repo.commit("one", {b"caf\xe9.c": "x\n", "new\nline.c": "x\ny\n", b"\x02odd.c": "x\n"})
    repo.git("mv", "new\nline.c", "1\t2\t3.c")
    repo.commit("two")
    got = read(repo).files
    assert {p: f.churn for p, f in got.items()} == {
        b"caf\xe9.c": 1, b"1\t2\t3.c": 2, b"\x02odd.c": 1}
    assert git.text_of(b"caf\xe9.c") == "caf\\xe9.c"


def test_a_shallow_clone_is_said_to_be_one(repo, tmp_path):
    for n in range(1, 6):
        repo.commit(f"c{n}", {"a.c": numbered(n * 10)})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "2", f"file://{repo.folder}", str(clone)],
                   check=True, timeout=60, capture_output=True)
    shallow = type("R", (), {"folder": clone})
    got = read(shallow)
    churn, commits = independent_churn(clone)
    file = got.files[b"a.c"]
    assert (file.churn, file.commits) == (churn["a.c"], commits["a.c"]) == (50, 2)
    assert got.cut == "the clone is shallow" and got.commits == 2
    assert file.cut_off_lines == 40  # the whole file as the oldest commit there shows it


def test_a_repository_without_commits(repo):
    assert git.head(str(repo.folder)) is None
    assert git.open_repository(str(repo.folder)).root == str(repo.folder)


def test_a_folder_that_is_no_repository(tmp_path):
    with pytest.raises(git.NotARepository):
        git.open_repository(str(tmp_path))
    with pytest.raises(git.NotARepository):
        git.open_repository(str(tmp_path / "absent"))


def test_a_bare_repository_and_one_below_its_top(repo, tmp_path):
    repo.commit("one", {"dir/a.c": numbered(3)})
    assert git.open_repository(str(repo.folder / "dir")).root == str(repo.folder)
    subprocess.run(["git", "clone", "-q", "--bare", str(repo.folder), str(tmp_path / "bare.git")],
                   check=True, timeout=60, capture_output=True)
    bare = git.open_repository(str(tmp_path / "bare.git"))
    assert bare.bare and [f.path for f in git.tree(bare.root)] == [b"dir/a.c"]


def test_time_runs_out(repo):
    commit = repo.commit("one", {"a.c": "x\n"})
    got = history.read(str(repo.folder), commit, {b"a.c"}, time.monotonic() - 1)
    assert got.cut == "the time for reading it was over"


def test_links_and_submodules_are_left_out_of_the_tree(repo):
    repo.commit("one", {"a.c": "x\n"})
    (repo.folder / "link.c").symlink_to("a.c")
    repo.git("update-index", "--add", "--cacheinfo", "160000," + "1" * 40 + ",sub")
    repo.git("add", "link.c")
    repo.git("commit", "-q", "-m", "two")
    assert [f.path for f in git.tree(str(repo.folder))] == [b"a.c"]


def test_blobs_are_read_by_their_hash(repo):
    repo.commit("one", {"a.c": "int x;\n", "empty": ""})
    files = {f.path: f for f in git.tree(str(repo.folder))}
    reader = git.BlobReader(str(repo.folder))
    try:
        assert reader.read(files[b"a.c"].blob) == b"int x;\n"
        assert reader.read(files[b"empty"].blob) == b""
        with pytest.raises(git.GitError):
            reader.read("0" * 40)
        assert reader.read(files[b"a.c"].blob) == b"int x;\n"
    finally:
        reader.close()


def test_the_callers_git_variables_lead_nowhere(repo, make_repo, monkeypatch):
    repo.commit("one", {"a.c": "x\n"})
    other: Repo = make_repo("other")
    other.commit("one", {"b.c": "x\n"})
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    assert [f.path for f in git.tree(str(repo.folder))] == [b"a.c"]


def test_a_program_named_by_the_repository_is_not_started(repo):
    repo.commit("one", {"a.c": "x\n"})
    mark = repo.folder / "started"
    for key in ("core.fsmonitor", "diff.external", "gpg.program"):
        repo.git("config", key, f"touch {mark}")
    repo.git("config", "log.showSignature", "true")
    repo.commit("two", {"a.c": "y\n"})
    mark.unlink(missing_ok=True)
    read(repo)
    assert not mark.exists()


def test_the_whole_history_of_this_project_adds_up():
    """On a repository that the tests did not make, when there is one."""
    import pathlib
    root = pathlib.Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        pytest.skip("the source tree is not a git clone")
    present = {f.path for f in git.tree(str(root))}
    got = history.read(str(root), git.head(str(root)), present, time.monotonic() + 120)
    assert not got.cut or got.cut == "the clone is shallow"
    # Like the reader: also when the tree is another user's.
    text = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(root), "log", "--numstat",
                           "-M", "--format="], capture_output=True, check=True,
                          timeout=120).stdout
    rows = [r.split(b"\t")[:2] for r in filter(None, text.split(b"\n"))]
    total = sum(int(a) + int(d) for a, d in rows if a != b"-")
    assert sum(f.churn for f in got.files.values()) == total
