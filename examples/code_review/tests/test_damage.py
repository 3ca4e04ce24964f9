"""A damaged repository is never a wrong number, and nobody's configuration changes an answer."""
import os
import pathlib
import shutil
import subprocess

import pytest

import scout
from repos import numbered
from review import git, survey

from mainstay.testing import call


@pytest.fixture
def sound(repo):
    """Two branches, a merge, a rename, a binary; every object loose."""
    repo.commit("one", {"a.c": numbered(30), "dir/b.py": numbered(9), "x.bin": b"\0\1" * 50})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", {"dir/b.py": numbered(12)}, author="Bob")
    repo.git("checkout", "-q", "main")
    repo.git("mv", "a.c", "dir/c.c")
    repo.commit("two", {"dir/c.c": numbered(33), "x.bin": b"\0\2" * 50})
    repo.git("merge", "-q", "--no-edit", "side")
    return repo


def answer(folder) -> dict:
    """What a survey says of the history, apart from where the repository lies."""
    found = survey.survey(str(folder), 60.0)
    about = {k: v for k, v in found["repository"].items() if k not in ("root", "bare")}
    return {"about": about, "files": [{k: v for k, v in file.items() if k != "root"}
                                      for file in found["files"]]}


def copied(folder: pathlib.Path, name: str) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(folder, folder.parent / name, symlinks=True))


def right_or_refused(folder, expected) -> bool:
    """True when it was refused as damaged; any other answer must be the one expected."""
    try:
        assert answer(folder) == expected
        return False
    except git.Damaged as error:
        assert str(folder) in str(error) and f"git -C {folder} fsck" in str(error)
        return True


def loose_objects(folder):
    return sorted(p for p in (folder / ".git/objects").glob("??/*"))


# -- damage -----------------------------------------------------------------------------------

def test_each_object_that_is_missing_is_told(sound):
    expected = answer(sound.folder)
    hurt = copied(sound.folder, "hurt")
    refused = 0
    for path in loose_objects(hurt):
        content = path.read_bytes()
        path.unlink()
        refused += right_or_refused(hurt, expected)
        path.write_bytes(content)
    assert answer(hurt) == expected
    # A side branch's tree that no count rests on may be missing; nearly all may not.
    assert refused >= len(loose_objects(hurt)) - 2


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_each_object_that_is_cut_short_is_told(sound, share):
    expected = answer(sound.folder)
    hurt = copied(sound.folder, "hurt")
    refused = 0
    for path in loose_objects(hurt):
        content = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(content[:int(len(content) * share)])
        refused += right_or_refused(hurt, expected)
        path.write_bytes(content)
    assert refused >= len(loose_objects(hurt)) - 2


def test_a_pack_that_is_cut_short_is_told(sound):
    sound.git("gc", "-q")
    expected = answer(sound.folder)
    hurt = copied(sound.folder, "hurt")
    (pack,) = (hurt / ".git/objects/pack").glob("*.pack")
    content = pack.read_bytes()
    pack.chmod(0o600)
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        pack.write_bytes(content[:int(len(content) * share)])
        assert right_or_refused(hurt, expected), share
    pack.unlink()
    assert right_or_refused(hurt, expected)


@pytest.mark.parametrize("how", ["all", "head", "ref", "empty ref", "nonsense"])
def test_a_repository_without_its_newest_commit_is_not_an_empty_one(sound, how):
    commit = sound.git("rev-parse", "HEAD").strip()
    dot_git = sound.folder / ".git"
    if how == "all":
        shutil.rmtree(dot_git / "objects")
        (dot_git / "objects").mkdir()
    elif how == "head":
        (dot_git / "objects" / commit[:2] / commit[2:]).unlink()
    elif how == "ref":
        for branch in ("main", "side"):
            (dot_git / "refs/heads" / branch).unlink()
    else:
        (dot_git / "refs/heads/main").write_text("" if how == "empty ref" else "no hash\n")
    failure = call(scout.agent, "repo.scan", {"path": str(sound.folder)}).failure
    assert (failure.code, failure.permanent) == ("repository_damaged", True)
    assert str(sound.folder) in failure.message and "fsck" in failure.message


def test_a_head_on_a_branch_without_commits_is_told_from_no_commits(sound):
    sound.git("symbolic-ref", "HEAD", "refs/heads/new")
    failure = call(scout.agent, "repo.scan", {"path": str(sound.folder)}).failure
    assert (failure.code, failure.permanent) == ("git_failed", True)
    assert "refs/heads/new" in failure.message and "main" in failure.message


def test_a_partial_clone_says_what_it_lacks(sound, tmp_path):
    sound.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    subprocess.run(["git", "clone", "-q", "--filter=blob:none", "--no-checkout",
                    f"file://{sound.folder}", str(clone)], check=True, timeout=60,
                   capture_output=True)
    failure = call(scout.agent, "repo.scan", {"path": str(clone)}).failure
    assert failure.code == "repository_damaged"
    assert "partial clone" in failure.context["hint"]


def test_a_content_that_is_cut_short_is_told(sound):
    files = {f.path: f.blob for f in git.tree(str(sound.folder))}
    blob = files[b"dir/c.c"]
    path = sound.folder / ".git/objects" / blob[:2] / blob[2:]
    reader = git.BlobReader(str(sound.folder))
    try:
        content = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(content[:len(content) // 2])
        with pytest.raises(git.GitError):
            reader.read(blob)
    finally:
        reader.close()


# -- configuration ----------------------------------------------------------------------------

HOSTILE = """
[log]
\tshowRoot = false
\tfollow = true
\tmailmap = false
\tdate = nonsense
\tdecorate = full
\tdiffMerges = separate
\tabbrevCommit = true
[diff]
\trenames = false
\trenameLimit = 1
\tnoprefix = true
\tmnemonicPrefix = true
\torderFile = /dev/null/none
\talgorithm = patience
\tignoreSubmodules = all
\tsubmodule = log
\tcontext = 0
\tinterHunkContext = 50
\trelative = true
\tsuppressBlankEmpty = true
\tindentHeuristic = false
\tcolorMoved = zebra
\tstatGraphWidth = 3
[diff "odd"]
\tbinary = true
\ttextconv = false
\tcommand = false
\txfuncname = .*
[core]
\tquotePath = false
\tpager = false
\tabbrev = 4
\tattributesFile = {attributes}
\tuseReplaceRefs = true
\tbigFileThreshold = 1
\tcommitGraph = true
\twhitespace = cr-at-eol
\tautocrlf = true
[i18n]
\tlogOutputEncoding = UTF-16
[color]
\tui = always
\tdiff = always
[pager]
\tlog = false
[blame]
\tshowEmail = true
[format]
\tpretty = fuller
\tnotes = *
[mailmap]
\tfile = {mailmap}
[alias]
\tlog = !false
[merge]
\trenames = false
[status]
\trelativePaths = true
"""


@pytest.fixture
def hostile(tmp_path):
    """The text of a configuration that changes all it can."""
    (tmp_path / "attributes").write_text("*.c -diff\n*.py diff=odd\n")
    (tmp_path / "mailmap").write_text("Eve <eve@example.org> <Ann@example.org>\n")
    return HOSTILE.format(attributes=tmp_path / "attributes", mailmap=tmp_path / "mailmap")


def test_the_repositorys_own_configuration_changes_no_answer(sound, hostile):
    expected = answer(sound.folder)
    assert expected["files"][0]["churn"] > 0 and expected["about"]["merges"] == 1
    dot_git = sound.folder / ".git"
    with open(dot_git / "config", "a", encoding="utf-8") as out:
        out.write(hostile)
    (dot_git / "info").mkdir(exist_ok=True)
    (dot_git / "info/attributes").write_text("*.c -diff\n*.py diff=odd\n")
    assert answer(sound.folder) == expected
    bare = sound.folder.parent / "bare.git"
    shutil.copytree(dot_git, bare)
    subprocess.run(["git", "config", "-f", str(bare / "config"), "core.bare", "true"], check=True)
    assert answer(bare) == expected


def test_log_show_root_alone(repo):
    repo.commit("one", {"b.c": numbered(8)})
    repo.git("config", "log.showRoot", "false")
    assert [f["churn"] for f in answer(repo.folder)["files"]] == [8]


def test_the_users_configuration_changes_no_answer(sound, hostile, tmp_path, monkeypatch):
    expected = answer(sound.folder)
    for name in (".gitconfig", ".config/git/config"):
        target = tmp_path / "home" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(hostile)
    (tmp_path / "home/.config/git/attributes").write_text("*.c -diff\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'log.showroot'='false'")
    assert answer(sound.folder) == expected


def test_grafts_and_replaced_objects_change_no_answer(sound):
    expected = answer(sound.folder)
    first = sound.git("rev-list", "--max-parents=0", "HEAD").strip()
    (sound.folder / ".git/info").mkdir(exist_ok=True)
    (sound.folder / ".git/info/grafts").write_text(sound.git("rev-parse", "HEAD").strip() + "\n")
    assert answer(sound.folder) == expected
    sound.git("replace", "HEAD", first)
    assert answer(sound.folder) == expected


def test_the_attributes_of_the_repository_count_as_in_gits_own_numbers(repo):
    repo.commit("one", {"a.c": numbered(5), "gen.c": numbered(7), ".gitattributes":
                        "gen.c -diff\n"})
    assert {f["path"]: f["churn"] for f in answer(repo.folder)["files"]} == {
        "a.c": 5, "gen.c": 0}


def test_the_mailmap_of_the_repository_counts(repo):
    repo.commit("one", {"a.c": "x\n", ".mailmap": "Anna <anna@example.org> <Ann@example.org>\n"})
    (file,) = answer(repo.folder)["files"]
    assert file["top_authors"] == [{"name": "Anna", "commits": 1}]


def test_objects_in_sha256_and_in_a_work_tree_beside(tmp_path, sound):
    folder = tmp_path / "long"
    def run(*words):
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", *words], check=True,
                       timeout=60, capture_output=True)
    run("init", "-q", "--object-format=sha256", str(folder))
    (folder / "a.c").write_text(numbered(6))
    run("-C", str(folder), "add", "-A")
    run("-C", str(folder), "commit", "-q", "-m", "one")
    assert [f["churn"] for f in answer(folder)["files"]] == [6]
    run("-C", str(sound.folder), "worktree", "add", "-q", str(tmp_path / "beside"), "side")
    assert [f["path"] for f in answer(tmp_path / "beside")["files"]] == ["a.c", "dir/b.py"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository away")
def test_a_repository_of_another_owner_is_read(sound):
    expected = answer(sound.folder)
    try:
        for path in [sound.folder, *sound.folder.rglob("*")]:
            os.lchown(path, 12345, 12345)
    except OSError as error:  # root of a user namespace has few users to give it to
        pytest.skip(f"skipped: {error}")
    assert answer(sound.folder) == expected
