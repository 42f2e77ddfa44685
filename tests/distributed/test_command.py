import json
import os
import subprocess
import sys
from pathlib import Path


def test_fit_in_two_processes_measures_its_last_weights(tmp_path: Path) -> None:
    """Lightning starts the second process; the last validation follows the fit, in both."""
    words = ["fit", "--config", "quickstart.yaml", "--data.batch_size=8", "--data.dataset.validation=2"]
    words += ["--model.schedule.warmup=2", "--trainer.max_steps=5", "--trainer.devices=2"]
    words += ["--trainer.check_val_every_n_epoch=1000", f"--trainer.logger.save_dir={tmp_path}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "crossx", *words, f"--trainer.default_root_dir={tmp_path}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "crossx: error" not in done.stderr
    for once in ("run folder: ", "precision: 32-true in place", "step 5, measured on the validation split"):
        assert done.stdout.count(once) <= 1, once
    found = json.loads((tmp_path / "quickstart/version_0/results.json").read_text())
    assert found["step"] == 5
    assert 0 < found["metrics"]["map_all"] <= 1
