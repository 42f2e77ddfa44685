"""`crossx predict` writes shards, which make the gallery that the same photos make by `crossx index`."""

from pathlib import Path

import numpy as np
import pytest
from support.commands import Config, edit, folder_dataset, joint_config, part, run
from support.runs import Teachers

from crossx.cli import main
from crossx.core.errors import InputError
from crossx.search.gallery.local import LocalGallery


@pytest.fixture(scope="module")
def encoder(joint_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "encoder"
    assert main(["export", "--run", str(joint_run), "--out", str(out), "--formats", "safetensors"]) == 0
    return out


@pytest.fixture
def content(teachers: Teachers, tmp_path: Path, encoder: Path) -> Config:
    content = joint_config(teachers, tmp_path)
    edit(content, "data.dataset", folder_dataset(tmp_path))
    photos = str(tmp_path / "data/photo")
    writer = part("crossx.callbacks.ShardWriter", out=str(tmp_path / "s"), encoder=str(encoder), photos=photos)
    edit(content, "trainer.callbacks", [writer])
    return content


def predict(content: Config, folder: Path, joint_run: Path) -> None:
    run("predict", folder / "config.yaml", content, "--ckpt_path", str(joint_run / "checkpoints/last.ckpt"))


def test_shards_of_predict_make_the_gallery_of_the_folder(
    content: Config, joint_run: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(content, tmp_path, joint_run)
    assert "shards: part 1 of 1" in capsys.readouterr().out
    assert main(["index", "--from-embeddings", str(tmp_path / "s"), "--gallery", str(tmp_path / "g")]) == 0
    words = ["--encoder", str(encoder), "--photos", str(tmp_path / "data/photo"), "--gallery", str(tmp_path / "h")]
    assert main(["index", *words, "--workers", "1"]) == 0
    with LocalGallery(tmp_path / "g") as one, LocalGallery(tmp_path / "h") as other:
        indexed = {photo.path: photo for photo in other.scan()}
        found = list(one.scan())
        assert len(found) == 4  # the test photos: two of each class
        for photo in found:
            expected = indexed[photo.path]
            assert np.allclose(photo.vector, expected.vector, atol=1e-5)
            assert (photo.key, photo.sha256, photo.size) == (expected.key, expected.sha256, expected.size)
            assert (photo.width, photo.height, photo.mtime_ns) == (20, 20, expected.mtime_ns)


def test_a_folder_with_shards_missing_photos_and_another_encoder_are_refused(
    content: Config, joint_run: Path, tmp_path: Path, teachers: Teachers
) -> None:
    writer = content["trainer"]["callbacks"][0]["init_args"]
    writer["photos"] = str(tmp_path / "data")
    with pytest.raises(InputError, match=r"ShardWriter\.photos: must hold the data set's photo"):
        predict(content, tmp_path, joint_run)
    writer["photos"] = str(tmp_path / "data/photo")
    predict(content, tmp_path, joint_run)
    with pytest.raises(InputError, match=r"ShardWriter\.out: must hold no shards of part 1"):
        predict(content, tmp_path, joint_run)
    other = tmp_path / "other"
    assert main(["export", "--teachers", *teachers, "--out", str(other), "--formats", "safetensors"]) == 0
    writer |= {"encoder": str(other), "out": str(tmp_path / "t")}
    with pytest.raises(InputError, match=r"ShardWriter\.encoder: must be"):
        predict(content, tmp_path, joint_run)
