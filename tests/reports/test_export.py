"""`encoders.safetensors`, read back into encoders."""

import json
from pathlib import Path

import torch
from support.runs import CLASSES, MODALITIES, SIZE, Teachers

import crossx
from crossx.core.tensor_files import read_safetensors
from crossx.cotraining.module import CoTrainingModule
from crossx.teachers.teacher import load_teacher


def test_last_weights_give_the_same_embeddings(joint_run: Path) -> None:
    tensors, _ = read_safetensors(joint_run / "encoders.safetensors", "encoders")
    module = CoTrainingModule.load_from_checkpoint(joint_run / "checkpoints/last.ckpt", map_location="cpu").eval()
    images = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = {modality: module.encode(images, modality) for modality in MODALITIES}
        for modality in MODALITIES:
            encoder = getattr(module.encoding, f"{modality}_encoder")
            for parameter in encoder.head.parameters():
                parameter.fill_(0.5)
            prefix = f"{modality}_encoder."
            own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            encoder.load_state_dict(own)
            assert torch.equal(module.encode(images, modality), expected[modality])


def test_header_says_what_it_is(joint_run: Path, teachers: Teachers) -> None:
    tensors, header = read_safetensors(joint_run / "encoders.safetensors", "encoders")
    assert (header["version"], header["step"]) == (crossx.__version__, "4")
    assert json.loads(header["teachers"]) == {m: load_teacher(p).hash for m, p in teachers._asdict().items()}
    assert json.loads(header["classes"]) == list(CLASSES)
    built = json.loads(header["config"])
    assert built["photo_encoder"]["class_path"].endswith("TeacherHeadEncoder")
    assert built["sketch_encoder"]["init_args"] == {"dim": 4, "hidden": 0, "posterior": True}
    assert {name.split(".")[1] for name in tensors} == {"head"}, "the frozen teachers stay in their own files"
