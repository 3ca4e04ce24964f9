"""Each checker of tools/ passes a clean tree and fails on a planted violation, naming its place."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
COMPILER = next((c for c in ("g++", "clang++", "clang++-14") if shutil.which(c)), None)
CLEAN_HEADER = """// A header for tests.
#pragma once

namespace mainstay::{0} {{
int answer();
}}
"""


def run(tool: str, *args: object) -> tuple[int, str]:
    done = subprocess.run([PYTHON, str(TOOLS / tool), *map(str, args)], text=True,
                          capture_output=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    for folder in ("base", "model", "platform", "config", "fleet", "work"):
        put(tmp_path, f"src/{folder}/answer.h", CLEAN_HEADER.format(folder))
    put(tmp_path, "src/work/answer.cc",
        '#include "work/answer.h"\n\n#include "fleet/answer.h"\n\n'
        "namespace mainstay::work {\nint answer() { return 42; }\n}\n")
    return tmp_path


def put(root: pathlib.Path, name: str, text: str) -> pathlib.Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_this_tree_is_in_order() -> None:
    assert run("check_layers")[0] == 0
    assert run("check_style")[0] == 0
    assert run("check_docs")[0] == 0
    assert run("gen_errors", "--docs", ROOT / "docs" / "errors", "--check")[0] == 0


def test_a_clean_planted_tree_passes(tree: pathlib.Path) -> None:
    assert run("check_layers", "--root", tree) == (0, "check_layers: 7 files are in order\n")
    assert run("check_style", "--root", tree) == (0, "check_style: 7 files are in order\n")


@pytest.mark.parametrize(("file", "include", "message"), [
    ("src/base/a.cc", "model/answer.h",
     "src/base/a.cc:2: base (level 0) must not include model (level 1)"),
    ("src/model/a.h", "platform/answer.h", "model (level 1) must not include platform (level 1)"),
    ("src/fleet/deep/a.cc", "work/answer.h", "fleet (level 5) must not include work (level 6)"),
    ("src/work/a.cc", "nowhere/a.h", '"nowhere/a.h" is in no known folder'),
    ("src/work/a.cc", "answer.h", 'write "answer.h" from src/'),
    ("src/work/a.cc", "../fleet/answer.h", 'write "../fleet/answer.h" from src/'),
])
def test_check_layers_finds(tree: pathlib.Path, file: str, include: str, message: str) -> None:
    put(tree, file, f'// x\n#include "{include}"\n')
    code, output = run("check_layers", "--root", tree)
    assert code == 1
    assert message in output


def test_check_layers_wants_a_level_for_every_folder(tree: pathlib.Path) -> None:
    put(tree, "src/newcomer/a.cc", "")
    code, output = run("check_layers", "--root", tree)
    assert code == 1 and "src/newcomer/a.cc:1: newcomer has no level" in output


def body(lines: int) -> str:
    return "int f(int x) {\n" + "  x += 1;\n" * (lines - 3) + "  return x;\n}\n"


@pytest.mark.parametrize(("file", "text", "message"), [
    ("src/work/a.cc", "void f() { co_await g(); }\n", "src/work/a.cc:1: co_await: g++ 12 breaks"),
    ("src/work/a.cc", "int f() {\n  co_return 1;\n}\n", "src/work/a.cc:2: co_return"),
    ("src/work/a.cc", "void f() { boost::asio::spawn(x, y); }\n", "asio::spawn"),
    ("src/work/a.cc", body(71), "src/work/a.cc:1: a function of 71 lines; at most 70"),
    ("src/work/a.cc", "namespace x {\nstruct A {\n  " + body(90) + "};\n}\n",
     "src/work/a.cc:3: a function of 90 lines"),
    ("src/work/a.cc", "int x;\n" * 801, "801 lines; at most 800"),
    ("src/work/a.cc", "// " + "x" * 98 + "\n", "src/work/a.cc:1: 101 columns; at most 100"),
    ("src/work/a.cc", "class bad_name {\n};\n", "the type bad_name is not PascalCase"),
    ("src/work/a.cc", "class WorkManager {\n};\n", "the type WorkManager says nothing: Manager"),
    ("src/work/a.cc", "struct StringUtils final : Base {\n};\n", "StringUtils says nothing: Utils"),
    ("src/work/a.cc", "#define LIMIT 3\n", "the macro LIMIT is not MS_UPPER"),
    ("src/work/queue_helpers.cc", "\n", "the name queue_helpers says nothing: helpers"),
    ("src/work/common/a.cc", "\n", "the name common says nothing: common"),
    ("src/work/BadName.cc", "\n", "the name BadName.cc is not snake_case"),
    ("src/work/a.h", "#pragma once\n", "src/work/a.h:1: a header begins with what it is for"),
    ("src/work/a.h", "// x\nint f();\n", "there is no #pragma once"),
    ("src/work/a.h", "// x\n#pragma once\n#include <boost/asio.hpp>\n",
     "src/work/a.h:3: boost/asio.hpp in a header outside platform/"),
    ("src/work/a.h", "// x\n#pragma once\n#include <sqlite3.h>\n", "sqlite3.h in a header"),
    ("tests/e2e/test_utils.py", "", "the name test_utils says nothing: utils"),
    ("python/mainstay/a.py", "class lower:\n    pass\n", "the type lower is not PascalCase"),
    ("tools/gen_x", "x = '" + "y" * 100 + "'\n", "tools/gen_x:1: 106 columns"),
])
def test_check_style_finds(tree: pathlib.Path, file: str, text: str, message: str) -> None:
    put(tree, file, text)
    code, output = run("check_style", "--root", tree)
    assert code == 1
    assert message in output


@pytest.mark.parametrize("text", [
    "// co_await in a comment, class lower {\n",
    'const char* kText = "co_await x; class lower {";\n',
    body(70),
    "struct sqlite3;\nstruct ::sockaddr_un address();\n",
    "constexpr int kTable[] = {\n" + "  1,\n" * 90 + "};\n",
    "#define MS_LIMIT 3\n#ifndef O_PATH\n#define O_PATH 1\n#endif\n",
    "namespace x {\n" + "int y;\n" * 100 + "}\n",
])
def test_check_style_lets_pass(tree: pathlib.Path, text: str) -> None:
    put(tree, "src/work/a.cc", text)
    assert run("check_style", "--root", tree)[0] == 0


DOC = """# Work

See `src/work/answer.h`, `work/answer.{h,cc}`, `src/work/answer`, `src/fleet/*.h`, `fleet/`,
[the model](src/model/answer.h#L3), [elsewhere](https://example.org/no.md), `GET /v1/work`,
`runs/x/y`, `.mainstay/db`, `fleet.yaml`, `a(b)[c](d)`.

```
$ cat src/nowhere/in_a_block.cc
```
"""


def test_check_docs_lets_pass(tree: pathlib.Path) -> None:
    put(tree, "README.md", DOC)
    put(tree, "src/work/README.md", "`answer.{h,cc}` answers; `answer.h` says so.\n")
    put(tree, "build/README.md", "`src/work/gone.cc`\n")
    assert run("check_docs", "--root", tree) == (0, "check_docs: 2 files name what is there\n")


@pytest.mark.parametrize(("text", "message"), [
    ("It is in `src/work/gone.cc`.", "README.md:2: there is no src/work/gone.cc"),
    ("It is in `work/gone`.", "README.md:2: there is no work/gone"),
    ("It is in `src/work/answer.{h,py}`.", "README.md:2: there is no src/work/answer.{h,py}"),
    ("It is in `gone.h`.", "README.md:2: there is no gone.h"),
    ("Tested in `src/work/*_test.cc`.", "README.md:2: there is no src/work/*_test.cc"),
    ("See [it](src/gone.md).", "README.md:2: the link src/gone.md leads nowhere"),
])
def test_check_docs_finds(tree: pathlib.Path, text: str, message: str) -> None:
    put(tree, "README.md", f"# x\n{text}\n")
    assert run("check_docs", "--root", tree) == (1, message + "\n")


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_check_headers_finds_one_that_needs_others(tree: pathlib.Path) -> None:
    build = tree / "build"
    build.mkdir()
    source = tree / "src/work/answer.cc"
    command = f"ccache {COMPILER} -I{tree}/src -std=c++20 -o x.o -c {source}"
    (build / "compile_commands.json").write_text(json.dumps(
        [{"directory": str(build), "file": str(source), "command": command}]))
    assert run("check_style", "--headers", "--root", tree, "--build", build) == (
        0, "check_style: 6 headers compile alone (6 tried)\n")
    bad = put(tree, "src/work/needs.h", "// x\n#pragma once\nstd::string f();\n")
    code, output = run("check_style", "--headers", "--root", tree, "--build", build)
    assert code == 1
    assert "src/work/needs.h:1: does not compile alone" in output
    bad.write_text("// x\n#pragma once\n#include <string>\nstd::string f();\n")
    assert run("check_style", "--headers", "--root", tree, "--build", build) == (
        0, "check_style: 7 headers compile alone (1 tried)\n")


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
@pytest.mark.parametrize(("code", "what"), [
    ("#include <chrono>\nlong f() { return std::chrono::steady_clock::now()"
     ".time_since_epoch().count(); }", "a clock"),
    ("#include <time.h>\nlong f() { return time(nullptr); }", "a clock"),
    ("#include <random>\nunsigned f() { std::random_device d; return d(); }", "chance"),
    ("#include <stdlib.h>\nint f() { return rand(); }", "chance"),
    ("#include <sys/random.h>\nlong f(char* b) { return getrandom(b, 1, 0); }", "chance"),
    ("#include <fcntl.h>\nint f() { return open(\"/etc/passwd\", O_RDONLY); }", "files"),
    ("#include <fstream>\nbool f() { return std::ifstream(\"x\").good(); }", "files"),
    ("#include <unistd.h>\nlong f(char* b) { return read(0, b, 1) + write(1, b, 1); }", "files"),
    ("#include <sys/socket.h>\nint f() { return socket(AF_INET, SOCK_STREAM, 0); }", "sockets"),
    ("#include <thread>\nvoid f() { std::thread([] {}).join(); }", "threads"),
    ("#include <mutex>\nvoid f(std::mutex& m) { std::lock_guard<std::mutex> lock(m); }", "threads"),
    ("#include <stdlib.h>\nchar* f() { return getenv(\"HOME\"); }", "the environment"),
    ("#include <unistd.h>\nint f() { return fork(); }", "processes"),
    ("namespace mainstay::platform { int read_file(int); }\n"
     "int f() { return mainstay::platform::read_file(1); }", "the outside world (platform)"),
])
def test_check_pure_finds(tmp_path: pathlib.Path, code: str, what: str) -> None:
    library = build_library(tmp_path, {"clean.cc": "int g(int x) { return x + 1; }\n",
                                       "policy.cc": code + "\n"})
    status, output = run("check_pure", library)
    assert status == 1
    assert "libplanted.a(policy.cc.o): " in output
    assert f"decisions must not use {what}" in output
    # The other object of the library is judged by itself.
    assert run("check_pure", f"{library}:clean.cc.o")[0] == 0


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_check_pure_lets_computing_pass(tmp_path: pathlib.Path) -> None:
    library = build_library(tmp_path, {"policy.cc": """
#include <map>
#include <memory>
#include <string>
#include <stdexcept>
namespace mainstay::platform { void append_json_string(std::string&, int); }
std::map<std::string, int> all;
int f(const std::string& key) {
  auto shared = std::make_shared<std::string>(key);
  mainstay::platform::append_json_string(*shared, 3);
  all[*shared] += 1;
  if (all.size() > 3) throw std::runtime_error("too many");
  return all.at(key);
}
"""})
    assert run("check_pure", library)[0] == 0


def test_check_pure_wants_its_library() -> None:
    code, output = run("check_pure", "/nonexistent/libx.a")
    assert code == 1 and "libx.a" in output


def build_library(folder: pathlib.Path, sources: dict[str, str]) -> pathlib.Path:
    objects = []
    for name, text in sources.items():
        source = put(folder, name, text)
        objects.append(str(source) + ".o")
        subprocess.run([COMPILER, "-std=c++20", "-O2", "-c", str(source), "-o", objects[-1]],
                       check=True, timeout=120)
    library = folder / "libplanted.a"
    subprocess.run(["ar", "rcs", str(library), *objects], check=True, timeout=60)
    return library


def test_gen_errors_finds_a_stale_page(tmp_path: pathlib.Path) -> None:
    assert run("gen_errors", "--docs", tmp_path)[0] == 0
    assert run("gen_errors", "--docs", tmp_path, "--check")[0] == 0
    (tmp_path / "not_found.md").write_text("old")
    (tmp_path / "gone.md").write_text("old")
    code, output = run("gen_errors", "--docs", tmp_path, "--check")
    assert code == 1
    assert "not_found.md: differs" in output and "gone.md: there is no such code" in output
