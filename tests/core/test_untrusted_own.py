"""A checkpoint of crossx is read where nothing of crossx has been imported yet."""

import subprocess
import sys


def test_classes_of_crossx_need_no_import_first() -> None:
    code = (
        "import sys; from crossx.core.untrusted import refuse_imports; "
        "assert 'crossx.pairs.replay' not in sys.modules; "
        "refuse_imports({'class_path': 'crossx.pairs.replay.Replay'}, 'x.ckpt')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_function_of_crossx_is_still_refused() -> None:
    code = (
        "from crossx.core.errors import InputError\n"
        "from crossx.core.untrusted import refuse_imports\n"
        "try:\n    refuse_imports({'class_path': 'crossx.cli.main'}, 'x.ckpt')\n"
        "except InputError:\n    raise SystemExit(0)\n"
        "raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
