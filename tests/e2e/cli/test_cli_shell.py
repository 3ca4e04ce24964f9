"""Shell completion and the manual page say what the command line takes."""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from fleet_project import ROOT

COMPLETE = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_mainstay
printf '%s\n' "${COMPREPLY[@]}"
"""


def run(binary: str, *words: str) -> str:
    made = subprocess.run([binary, *words], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert made.returncode == 0, made.stderr
    return made.stdout


def needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"skipped: there is no {program} on this machine")
    return found


def plain(home: pathlib.Path) -> dict[str, str]:
    """For programs that are to say nothing, of a locale or a home that is not there either."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}


def section(text: str, title: str) -> list[str]:
    """The first word of each line below `title:` in a help."""
    lines = text.split(f"\n{title}:\n")[1].split("\n\n")[0].splitlines() if (
        f"\n{title}:\n" in text) else []
    return [line.split()[0] for line in lines if re.match(r"  \S", line)]


def verbs(binary: str) -> list[list[str]]:
    """Every command of --help, and of the helps that it leads to."""
    found = []
    for name in section(run(binary, "--help"), "Subcommands"):
        below = section(run(binary, name, "--help"), "Subcommands")
        found += [[name, verb] for verb in below] or [[name]]
    assert ["work", "submit"] in found and ["up"] in found and ["completion"] in found
    return found


@pytest.fixture(scope="module")
def complete(binary: str, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("completion")
    script = folder / "mainstay.bash"
    script.write_text(run(binary, "completion", "bash"))

    def ask(*words: str) -> list[str]:
        said = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", str(script), "mainstay",
                               *words], capture_output=True, text=True, timeout=60,
                              env=plain(folder))
        assert said.stderr == ""
        return said.stdout.split()
    return ask


def test_bash_completes_every_verb_and_option(binary: str, complete):
    root = section(run(binary, "--help"), "Subcommands")
    assert complete("") == root
    for words in verbs(binary):
        assert words[-1] in complete(*words[:-1], words[-1][:2])
        options = complete(*words, "-")
        for names in section(run(binary, *words, "--help"), "Options"):
            for name in names.split(","):
                assert name in options, (words, name)
        assert {"--output", "-C", "--help"} <= set(options)
        takes_settings = "-o and --set:" in run(binary, *words, "--help")
        assert ("--set" in options) == takes_settings, words
        assert "--ready-fd" not in options


@pytest.mark.parametrize("words, offered", [
    (["st"], ["status"]),
    (["-o", ""], ["table", "json", "yaml"]),
    (["work", "list", "--output", "j"], ["json"]),
    (["work", "list", "--output", "=", "y"], ["yaml"]),
    (["work", "list", "--output", "="], ["table", "json", "yaml"]),
    (["logs", "tail", "--level", "W"], ["WARNING"]),
    (["bench", "work", "--agent-kind", ""], ["cpp", "python"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["-o", "json", "work", "s"], ["submit", "show"]),
    (["-C", "work", "runs", "v"], ["verify"]),
    (["--project", "=", "x", "runs", "v"], ["verify"]),
    (["work", "submit", "--description", "list", "--pri"], ["--priority"]),
    (["work", "submit", "--timeout", ""], []),
    (["help", "agents", "ren"], ["renew"]),
    (["nope"], []),
])
def test_bash_completes_values_and_looks_behind_them(complete, words, offered):
    assert complete(*words) == offered


def test_bash_completes_folders(complete, tmp_path: pathlib.Path):
    (tmp_path / "one").mkdir()
    assert complete("-C", f"{tmp_path}/o") == [f"{tmp_path}/one"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells_are_read_by_them(binary: str, shell: str,
                                                      tmp_path: pathlib.Path):
    text = run(binary, "completion", shell)
    for words in verbs(binary):
        assert words[-1] in text
    script = tmp_path / "script"
    script.write_text(text)
    said = subprocess.run([needed(shell), "-n", str(script)], capture_output=True, text=True,
                          timeout=60, env=plain(tmp_path))
    assert said.returncode == 0 and said.stderr == ""


def test_the_manual_has_every_verb_option_and_exit_code(binary: str):
    page = run(binary, "man").replace("\\-", "-")
    for title in ("NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "FILES",
                  "ENVIRONMENT"):
        assert f"\n.SH {title}\n" in page
    for words in verbs(binary):
        at = " ".join(["mainstay", *words])
        assert f'.SS "{at}"' in page
        part = page.split(f'.SS "{at}"')[1].split("\n.S")[0]
        for names in section(run(binary, *words, "--help"), "Options"):
            for name in names.split(","):
                assert name in ("-h", "--help") or f"\\fB{name}\\fR" in part, (words, name)
    codes = page.split(".SH EXIT STATUS")[1].split(".SH")[0]
    told = run(binary, "--help").split("Exit codes:")[1].split(".\n")[0]
    for code, meaning in re.findall(r"(\d+) ([^;.]+)", " ".join(told.split())):
        assert f"\\fB{code}\\fR\n{meaning}\n" in codes
    assert run(binary, "man") == run(binary, "man"), "the same page each time"


def test_the_manual_is_good_roff(binary: str, tmp_path: pathlib.Path):
    page = tmp_path / "mainstay.1"
    page.write_text(run(binary, "man"))
    said = subprocess.run([needed("groff"), "-man", "-ww", "-Tutf8", "-rLL=100n", str(page)],
                          capture_output=True, text=True, timeout=60, env=plain(tmp_path))
    assert said.returncode == 0 and said.stderr == "", said.stderr
    shown = re.sub("\x1b\\[[0-9;]*m|.\x08", "", said.stdout)
    assert "mainstay work submit" in shown and "--input-json" in shown
    assert "names=" in shown or "KEY=VALUE" in shown


def test_the_manual_passes_mandoc(binary: str, tmp_path: pathlib.Path):
    page = tmp_path / "mainstay.1"
    page.write_text(run(binary, "man"))
    said = subprocess.run([needed("mandoc"), "-Tlint", "-Werror", str(page)],
                          capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stdout


def test_make_install_puts_them_where_they_are_looked_for(binary: str, tmp_path: pathlib.Path):
    make = needed("make")
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "mainstay").symlink_to(pathlib.Path(binary).resolve())
    made = subprocess.run([make, "-C", str(ROOT), "install_files", f"BUILD={folder}",
                           f"DESTDIR={tmp_path}/root", "PREFIX=/usr"],
                          capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    share = tmp_path / "root" / "usr" / "share"
    for path, words in {"bash-completion/completions/mainstay": ["completion", "bash"],
                        "zsh/site-functions/_mainstay": ["completion", "zsh"],
                        "fish/vendor_completions.d/mainstay.fish": ["completion", "fish"],
                        "man/man1/mainstay.1": ["man"]}.items():
        assert (share / path).read_text() == run(binary, *words), path
