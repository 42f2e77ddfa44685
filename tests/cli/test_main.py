import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import crossx
from crossx.cli import main


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_answers_at_once_and_loads_nothing_heavy(word: str) -> None:
    code = f"import sys, runpy; sys.argv = ['crossx', {word!r}]\ntry: runpy.run_module('crossx', run_name='__main__')\n"
    code += "except SystemExit as end: print('\\n', __import__('json').dumps([end.code, sorted(sys.modules)]))"
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # The processor's time, not the clock's: it does not depend on what else the machine does.
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status in (0, None)
    assert not {"torch", "lightning", "numpy", "yaml", "jsonargparse", "PIL"} & set(modules)
    assert min(seconds) < 0.3


def test_is_a_module_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crossx", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=os.environ)
    assert done.stdout == f"crossx {crossx.__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for verb in ("quickstart", "fit", "validate", "test", "predict"):
        assert f"\n  {verb} " in out


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["train"])
    assert end.value.code == 2
    assert "invalid choice: 'train'" in capsys.readouterr().err


def test_public_names_load_on_first_use() -> None:
    code = "import sys, crossx; print('torch' in sys.modules, 'FrozenTeacher' in dir(crossx))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False True\n"
    assert all(getattr(crossx, name) is not None for name in crossx.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Teacher'"):
        crossx.Teacher  # noqa: B018 - the look-up is the point


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 141)])
def test_an_interruption_is_no_traceback(error: type[BaseException], status: int) -> None:
    code = "import crossx.cli.early as early, sys\nfrom crossx.cli import main\n"
    code += f"def run(argv): raise {error.__name__}\nearly.run = run\nsys.exit(main(['fit']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
