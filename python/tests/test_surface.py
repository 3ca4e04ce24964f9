"""What users write against: the test harness, the environment report, generated files."""
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import mainstay
from mainstay import environment, testing

PYTHON = pathlib.Path(mainstay.__file__).parents[1]
ROOT = PYTHON.parent


def make_agent():
    agent = mainstay.Agent("x")

    @agent.capability("work")
    def work(item, ctx):
        ctx.log.info("reading", path=item.input)
        ctx.progress(0.5, "half")
        with ctx.span("part"):
            ctx.usage(model="m", prompt_tokens=4)
        return {"path": item.input, "attempt": item.attempt}

    @agent.capability("wait")
    async def wait(item, ctx):
        import asyncio
        await asyncio.sleep(60)
    return agent


def test_a_handler_is_called_as_by_the_daemon():
    outcome = testing.call(make_agent(), "work", "a.py", attempt=2)
    assert outcome.failure is None
    assert outcome.output == {"path": "a.py", "attempt": 2}
    assert outcome.logs[0].fields == {"path": "a.py"}
    assert outcome.progress == [(0.5, "half")]
    assert [s.name for s in outcome.spans] == ["part"]
    assert outcome.usage == [{"model": "m", "prompt_tokens": 4, "llm_requests": 1}]


def test_a_handler_can_be_cancelled_in_a_test():
    outcome = testing.call(make_agent(), "wait", cancel_after=0.02)
    assert outcome.failure.kind == "cancelled"


def test_a_handler_that_takes_too_long_is_a_timeout():
    with pytest.raises(TimeoutError, match="longer than"):
        testing.call(make_agent(), "wait", timeout=0.02)


def test_the_environment_report_has_a_fix_for_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_PROJECT", raising=False)
    monkeypatch.setattr(environment.failure, "installed",
                        lambda name: "" if name == "grpcio" else "3.20.1")
    report = mainstay.validate_environment()
    assert not report and not report.ok
    failed = {c.name: c for c in report.checks if not c.ok}
    assert set(failed) == {"grpcio", "protobuf", "daemon"}
    assert "python3-grpcio" in failed["grpcio"].fix and failed["protobuf"].found == "3.20.1"
    assert all(c.fix for c in failed.values())
    assert "FAIL grpcio: not installed" in str(report)
    assert environment._python((3, 9, 1)).ok is False


def test_this_environment_is_fine_but_for_the_daemon():
    assert mainstay.validate_environment(daemon=False).ok


def test_the_client_needs_no_grpc():
    code = ("import sys; sys.modules['grpc'] = None; sys.modules['google.protobuf'] = None\n"
            "import mainstay; mainstay.Client('http://127.0.0.1:1'); mainstay.Agent('x')\n"
            "print(mainstay.validate_environment(daemon=False).ok)")
    done = subprocess.run([sys.executable, "-c", code], cwd=PYTHON, capture_output=True,
                          text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_errors_are_what_their_source_says():
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "gen_errors"), "--check",
                           "--python", str(PYTHON / "mainstay" / "errors.py")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_package_carries_the_stubs_and_its_types(tmp_path):
    pytest.importorskip("setuptools")
    pytest.importorskip("wheel")
    source = tmp_path / "source"
    # Others that import it may be writing there what they compiled.
    shutil.copytree(PYTHON, source, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-c", "import setuptools.build_meta as b, sys;"
                    f"b.build_wheel({str(tmp_path)!r})"], cwd=source, check=True, timeout=120,
                   capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"mainstay/py.typed", "mainstay/_proto/link_pb2_grpc.py",
            "mainstay/_proto/link_pb2.pyi"} <= names
    assert not any("tests" in name for name in names)
