"""The losses and the objective that the documentation shows whole: their YAML, their package, and a fit with them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from my_package.critics import AgreedDistanceCritic
from my_package.generator_losses import AvoidClassesLoss, InkLoss
from my_package.losses import ProxyLoss
from support.commands import joint_config, run, write
from support.embedded import DIM, built, check_gradient, learn, random_embeddings
from support.runs import CLASSES, Teachers, reconstruction
from test_extension import logged

from crossx.cli import main
from crossx.cotraining.module import CoTrainingModule
from crossx.reconstruction.losses import Reconstruction
from crossx.types import LatentBatch

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"


def fitted(teachers: Teachers, folder: Path, overlay: str) -> CoTrainingModule:
    """A joint fit with a file of this folder behind the config, as the page says."""
    cli = run("fit", folder / "config.yaml", joint_config(teachers, folder), "--config", str(HERE / overlay))
    assert isinstance(cli.model, CoTrainingModule)
    return cli.model


def test_loss_of_the_encoders_trains_beside_the_others(teachers: Teachers, tmp_path: Path) -> None:
    model = fitted(teachers, tmp_path, "proxy_loss.yaml")
    assert set(model.encoding.objective.terms) == {"sup_con", "proxies"}
    loss = model.encoding.objective.loss("proxies")
    assert isinstance(loss, ProxyLoss)
    assert loss.temperature == 0.2
    state = torch.load(tmp_path / "run/version_0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    proxies = state["encoding.objective.losses.proxies.proxies"]
    assert proxies.shape == (len(CLASSES), 4)
    for name in ("encode/proxies", "encode/sup_con"):
        assert logged(tmp_path / "run/version_0", name), name


def test_loss_of_the_encoders_learns(teachers: Teachers) -> None:
    loss = built(ProxyLoss, teachers)
    check_gradient(loss, random_embeddings())
    values = learn(loss, random_embeddings())
    assert values[-1] < values[0]
    assert loss.get_parameter("proxies").shape == (len(CLASSES), DIM)


def test_losses_of_the_generators_train_beside_the_others(teachers: Teachers, tmp_path: Path) -> None:
    model = fitted(teachers, tmp_path, "own_generator_losses.yaml")
    terms = model.reconstruction.objective.terms
    assert set(terms) == {"one_hot", "entropy", "statistics", "ink", "avoid"}
    assert terms["ink"].weight == 2
    assert isinstance(model.reconstruction.objective.loss("avoid"), AvoidClassesLoss)
    for name in ("recon/ink", "recon/avoid", "recon/entropy"):
        assert logged(tmp_path / "run/version_0", name), name


def test_objective_is_chosen_by_a_file(teachers: Teachers, tmp_path: Path) -> None:
    model = fitted(teachers, tmp_path, "margin_objective.yaml")
    assert type(model.encoding).__name__ == "MarginEncoderModule"
    assert logged(tmp_path / "run/version_0", "encode/margin")
    assert logged(tmp_path / "run/version_0", "encode/matching")


def test_critic_is_chosen_by_a_file(teachers: Teachers, tmp_path: Path) -> None:
    content = joint_config(teachers, tmp_path)
    content["model"]["init_args"]["reconstruction"]["init_args"]["terms"]["adversarial"] = {"loss": "AdversarialLoss"}
    cli = run("fit", tmp_path / "config.yaml", content, "--config", str(HERE / "own_critic.yaml"))
    assert isinstance(cli.model, CoTrainingModule)
    assert type(cli.model.encoding.critic) is AgreedDistanceCritic
    assert all(-1 <= value <= 0 for value in logged(tmp_path / "run/version_0", "recon/adversarial"))


def test_critic_is_right_for_known_pairs() -> None:
    pairs = random_embeddings()
    pairs.photo_posterior = torch.eye(10, dtype=torch.float64)[[0, 1, 2, 3, 4, 5]]
    pairs.sketch_posterior = torch.eye(10, dtype=torch.float64)[[0, 1, 2, 9, 9, 9]]
    pairs.sketch = torch.cat([pairs.photo[:1], -pairs.photo[1:2], pairs.sketch[2:]])
    hardness = AgreedDistanceCritic()(pairs).hardness
    torch.testing.assert_close(hardness[:2], torch.tensor([0.0, 1.0], dtype=torch.float64), rtol=0, atol=1e-6)
    assert (hardness[3:] == 0).all()


def test_avoided_class_is_refused_if_no_teacher_knows_it(teachers: Teachers) -> None:
    module = reconstruction(teachers)
    with pytest.raises(ValueError, match=r"classes: must be one of .*; got 'cups' \(did you mean 'cup'\?\)"):
        AvoidClassesLoss(module.teachers, ["cups"])


def test_losses_of_the_generators_are_what_they_should_be(teachers: Teachers) -> None:
    """Values of images that are known, and a gradient that reaches the images."""
    module = reconstruction(teachers)
    pairs = module.sample(LatentBatch(torch.arange(8), torch.randn(8, 8), torch.zeros(8)))
    pairs.sketch = torch.full_like(pairs.sketch, 0.7).requires_grad_()
    value = InkLoss(share=0.1)(Reconstruction(pairs, module.teachers.vocabulary))
    assert value.item() == pytest.approx(0.04, rel=1e-4)
    (gradient,) = torch.autograd.grad(value, pairs.sketch)
    assert (gradient < 0).all()  # brighter sketches are nearer to the wanted share

    union, logits = module.teachers.vocabulary.union, torch.zeros(8, len(CLASSES))
    logits[:, 0] = 5
    pairs.photo_teacher.logits, pairs.sketch_teacher.logits = logits, logits.clone()
    shown, absent = (AvoidClassesLoss(module.teachers, [CLASSES[i]]) for i in (0, 1))
    assert set(union) == set(CLASSES)
    first = shown(Reconstruction(pairs, module.teachers.vocabulary))
    assert first.item() == pytest.approx(-torch.log(1 - logits.softmax(1)[0, 0]).item(), rel=1e-3)
    assert absent(Reconstruction(pairs, module.teachers.vocabulary)) < 0.01


def test_own_package_is_found_by_the_command(teachers: Teachers, tmp_path: Path) -> None:
    """As the pages say: the installed command, in the folder that holds the package, without PYTHONPATH."""
    shutil.copytree(HERE / "my_package", tmp_path / "my_package")
    config = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path))
    words = ["fit", "--config", config, "--config", str(HERE / "proxy_loss.yaml"), "--trainer.max_steps", "2"]
    # The path of crossx alone; the installed command has no working directory on its import path.
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "crossx", *words]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"terms: .*proxy_loss\.yaml adds proxies", done.stdout + done.stderr)
    without = tmp_path / "without.yaml"
    without.write_text((HERE / "proxy_loss.yaml").read_text().replace("imports:", "# imports:"))
    command[command.index(str(HERE / "proxy_loss.yaml"))] = str(without)
    refused = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert refused.returncode == 2
    assert refused.stderr.endswith("or in the working directory and named under imports\n")


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_pages_find_own_packages_in_one_way(page: Path) -> None:
    assert "PYTHONPATH=" not in page.read_text(), "imports in the config finds them"


def test_own_package_that_is_not_found_has_one_line(
    teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text((HERE / "proxy_loss.yaml").read_text().replace("my_package", "absent_package"))
    config = write(tmp_path / "config.yaml", joint_config(teachers, tmp_path))
    assert main(["fit", "--config", config, "--config", str(overlay)]) == 2
    error = capsys.readouterr().err
    assert "absent_package" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("page", "files"),
    [
        ("objective.md", ["my_package/losses.py", "proxy_loss.yaml", "margin_objective.py", "margin_objective.yaml"]),
        ("adversary.md", ["my_package/critics.py", "own_critic.yaml"]),
        ("reconstruction-losses.md", ["my_package/generator_losses.py", "own_generator_losses.yaml"]),
    ],
)
def test_pages_show_these_files(page: str, files: list[str]) -> None:
    text = (DOCS / "how-to" / page).read_text()
    assert [name for name in files if f'--8<-- "{name}"' not in text] == []
