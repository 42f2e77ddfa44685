import json
from pathlib import Path

import pytest
import torch
from support.commands import joint_config, run
from support.runs import CLASSES, MODALITIES, SIZE, Teachers

from crossx.core.tensor_files import read_safetensors
from crossx.cotraining.module import CoTrainingModule
from crossx.data.shapes.dataset import ShapesDataset


def test_predict_writes_unit_vectors_in_the_data_set_s_order(
    joint_run: Path, teachers: Teachers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = joint_run / "checkpoints/last.ckpt"
    words = ["--ckpt_path", str(last), "--data.eval_batch_size", "7"]
    words += ["--trainer.logger.init_args.save_dir", str(tmp_path)]
    run("predict", tmp_path / "config.yaml", joint_config(teachers, tmp_path), *words)
    path = tmp_path / "run/version_0/embeddings.safetensors"
    assert f"embeddings: {path.resolve()}\n" in capsys.readouterr().out
    tensors, header = read_safetensors(path, "embeddings")
    assert set(tensors) == {"photo", "photo_label", "sketch", "sketch_label"}
    assert json.loads(header["classes"]) == list(CLASSES)

    module = CoTrainingModule.load_from_checkpoint(last, map_location="cpu").eval()
    dataset = ShapesDataset(size=SIZE, train=2, validation=2, test=2)
    for modality in MODALITIES:
        images = dataset.images(modality, "test")
        with torch.no_grad():
            expected = torch.cat([module.encode(images[i].image[None], modality) for i in range(len(images))])
        assert tensors[modality].shape == (20, 4)
        assert torch.allclose(tensors[modality], expected, atol=1e-5)
        assert torch.allclose(tensors[modality].norm(dim=1), torch.ones(20), atol=1e-5)
        assert tensors[f"{modality}_label"].tolist() == images.labels.tolist()
        assert json.loads(header[modality]) == images.names


def test_names_are_those_of_the_images_seen(joint_run: Path, teachers: Teachers, tmp_path: Path) -> None:
    words = ["--ckpt_path", str(joint_run / "checkpoints/last.ckpt"), "--data.eval_batch_size", "7"]
    words += ["--trainer.logger.init_args.save_dir", str(tmp_path)]
    words += ["--trainer.limit_predict_batches", "2"]
    run("predict", tmp_path / "config.yaml", joint_config(teachers, tmp_path), *words)
    tensors, header = read_safetensors(tmp_path / "run/version_0/embeddings.safetensors", "embeddings")
    for modality in MODALITIES:
        names = ShapesDataset(size=SIZE, train=2, validation=2, test=2).images(modality, "test").names
        assert json.loads(header[modality]) == names[:14]
        assert len(tensors[modality]) == 14
