import json
import pickle
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.runs import CLASSES, Norm, Teachers, data, encoding, reconstruction, trainer, weights
from torch import Tensor

from crossx.augmentation import Augment
from crossx.core.batches import stack
from crossx.core.errors import InputError
from crossx.core.tensor_files import read_safetensors, write_safetensors
from crossx.data.base import LabelledImages, RetrievalData
from crossx.pairs.latents import LatentDataset
from crossx.pairs.sources import LivePairs, RealPairs
from crossx.reconstruction.generators import save_generators
from crossx.reconstruction.saved import SavedPairs
from crossx.teachers.pair import TeacherPair
from crossx.types import LatentBatch, Modality, PairBatch, PairSource, Split

SIZE = 16


class CodedImages(LabelledImages):
    """Each image is of one colour, which tells its split, modality and class, and its number."""

    def __init__(self, modality: Modality, split: Split, classes: tuple[str, ...], counts: dict[str, int]) -> None:
        labels = [c for c, name in enumerate(classes) for _ in range(counts.get(name, 3))]
        self.code = ("train", "validation", "test").index(split) * 2 + (modality == "sketch")
        super().__init__(modality, classes, labels, [f"{i}" for i in range(len(labels))])

    def read(self, i: int, scale: int = 1) -> Tensor:
        colour = torch.tensor([self.code, CLASSES.index(self.classes[self.labels[i]]), i], dtype=torch.uint8)
        return colour[:, None, None].expand(3, SIZE, SIZE)


class CodedData(RetrievalData):
    """Three images a class, or as many as `counts` says."""

    name, size, split_hash = "coded", SIZE, ""

    def __init__(self, classes: tuple[str, ...], **counts: int) -> None:
        self.classes = classes
        self.counts = counts

    def images(self, modality: Modality, split: Split) -> CodedImages:
        return CodedImages(modality, split, self.classes, self.counts if modality == "sketch" else {})


@pytest.fixture
def pair(teachers: Teachers) -> TeacherPair:
    return TeacherPair(*teachers)


def latents(count: int, dim: int = 8) -> LatentBatch:
    stream = LatentDataset(0, dim, count)
    return stack([stream[i] for i in range(count)])


def real(pair: TeacherPair, classes: tuple[str, ...], count: int) -> tuple[LatentBatch, PairBatch]:
    source = RealPairs(pair)
    items = source.loaded(LatentDataset(0, 1, count), CodedData(classes))
    read = stack([items[i] for i in range(count)])
    return read, source.sample(read)


def equal(a: PairBatch, b: PairBatch) -> bool:
    outputs = ((a.photo_teacher, b.photo_teacher), (a.sketch_teacher, b.sketch_teacher))
    parts = [(a.photo, b.photo), (a.sketch, b.sketch), (a.target, b.target)]
    parts += [(getattr(x, name), getattr(y, name)) for x, y in outputs for name in ("logits", "features")]
    return all(torch.equal(x, y) for x, y in parts)


def test_live_pairs_are_those_of_the_run(teachers: Teachers) -> None:
    module = reconstruction(teachers, "batch")
    source = LivePairs(module, 10)
    assert (source.latent_dim, source.num_classes, source.real, source.true_labels) == (8, 10, False, False)
    before = source.sample(latents(6))
    assert equal(before, module.sample(latents(6)))
    with torch.no_grad():
        for p in module.generators.parameters():
            p.add_(0.1)
    assert not equal(before, source.sample(latents(6)))


@pytest.mark.parametrize("source", [RealPairs, partial(SavedPairs, generators="g.safetensors")])
def test_saved_and_real_pairs_are_complete_only_with_teachers(source: Callable[..., PairSource]) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'teachers'"):
        source()


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_saved_generators_give_the_pairs_of_those_they_were_saved_from(
    teachers: Teachers, tmp_path: Path, norm: Norm
) -> None:
    module = reconstruction(teachers, norm)
    save_generators(tmp_path / "g.safetensors", module.generators)
    source = SavedPairs(module.teachers, str(tmp_path / "g.safetensors"))
    assert (source.latent_dim, source.num_classes, source.real) == (module.latent_dim, len(CLASSES), False)
    for mode in (True, False):
        module.generators.train(mode)
        assert equal(source.sample(latents(6)), module.sample(latents(6)))
    assert not any(p.requires_grad for p in source.generators.parameters())


def test_saved_pairs_do_not_learn_with_the_encoders(teachers: Teachers, tmp_path: Path) -> None:
    save_generators(tmp_path / "g.safetensors", reconstruction(teachers, "batch").generators)
    module = encoding(teachers, pairs=partial(SavedPairs, generators=str(tmp_path / "g.safetensors")))
    source = module.pair_source
    assert isinstance(source, SavedPairs)
    before = weights(source.generators)
    trainer(tmp_path, 3, limit_val_batches=0).fit(module, datamodule=data(teachers))
    assert all(torch.equal(before[name], tensor) for name, tensor in source.generators.state_dict().items())
    assert not [name for name in module.state_dict() if "generator" in name]


@pytest.mark.parametrize(
    "specs",
    [
        {"photo": {"class_path": "evil.Generator", "init_args": {}}},
        {"photo": {"class_path": "Generator", "init_args": {"latent_dim": 3}}},  # abstract
        {"photo": {"class_path": "Linear", "init_args": {"in_features": 3, "out_features": 3}}},
        {"photo": {"class_path": ["UpsamplingGenerator"], "init_args": {}}},
        {"photo": {"class_path": "UpsamplingGenerator", "init_args": {"size": 7}}},
        {"photo": {"class_path": "UpsamplingGenerator", "init_args": {"size": "16"}}},
        {"photo": {"class_path": "UpsamplingGenerator", "init_args": {"sise": 16}}},
        {"photo": {"class_path": "UpsamplingGenerator", "init_args": {"size": 16, "width": 8}}},  # other weights
        {"photo": {"class_path": "UpsamplingGenerator"}},
        {"photo": "UpsamplingGenerator"},
        {},
        [],
        None,
    ],
)
def test_file_that_does_not_describe_generators(
    teachers: Teachers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    specs: Any,  # noqa: ANN401 - any JSON
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "g.safetensors"
    save_generators(path, reconstruction(teachers).generators)
    tensors, metadata = read_safetensors(path, "generators")
    if isinstance(specs, dict) and specs:
        specs = {**json.loads(metadata["crossx_generators"]), **specs}
    write_safetensors(path, tensors, {"crossx_generators": json.dumps(specs)})
    with pytest.raises(InputError, match=r"^pairs\.generators: .*g\.safetensors does not hold two generators"):
        SavedPairs(TeacherPair(*teachers), str(path))
    assert "evil" not in sys.modules


def test_unknown_generator_class_is_named(pair: TeacherPair, tmp_path: Path) -> None:
    specs = {side: {"class_path": "Other", "init_args": {}} for side in ("photo", "sketch")}
    write_safetensors(tmp_path / "g.safetensors", {}, {"crossx_generators": json.dumps(specs)})
    with pytest.raises(InputError, match=r"Generator 'Other' is not loaded; loaded are .*UpsamplingGenerator"):
        SavedPairs(pair, str(tmp_path / "g.safetensors"))


def test_file_of_the_first_version_is_named_with_the_way_on(pair: TeacherPair, tmp_path: Path) -> None:
    specs = {side: {"class": "UpsamplingGenerator", "arguments": {"size": 16}} for side in ("photo", "sketch")}
    write_safetensors(tmp_path / "g.safetensors", {}, {"crossx_generators": json.dumps({**specs, "classes": []})})
    with pytest.raises(
        InputError, match=r"^pairs.generators: .*g\.safetensors was written by crossx 0\.1\.0; train the"
    ) as error:
        SavedPairs(pair, str(tmp_path / "g.safetensors"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "pickle", "cut", "teacher"])
def test_file_that_is_not_one_of_generators(teachers: Teachers, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "g.safetensors"
    save_generators(tmp_path / "good.safetensors", reconstruction(teachers).generators)
    good = (tmp_path / "good.safetensors").read_bytes()
    match kind:
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("generators")
        case "pickle":
            path.write_bytes(pickle.dumps({"photo": print}))
        case "cut":
            path.write_bytes(good[:-100])
        case "teacher":
            path.write_bytes(Path(teachers.photo).read_bytes())
    with pytest.raises(InputError, match=r"^pairs\.generators: .*g\.safetensors"):
        SavedPairs(TeacherPair(*teachers), str(path))


def test_real_pairs_are_training_images_of_one_class(pair: TeacherPair) -> None:
    classes = (CLASSES[4], CLASSES[0], CLASSES[7])  # the data set's own order
    read, pairs = real(pair, classes, 300)
    photo, sketch = pairs.photo[:, :, 0, 0] * 255, pairs.sketch[:, :, 0, 0] * 255
    assert set(photo[:, 0].tolist()) == {0}  # training photos
    assert set(sketch[:, 0].tolist()) == {1}  # training sketches
    assert torch.equal(photo[:, 1], sketch[:, 1])
    torch.testing.assert_close(pairs.target.float(), photo[:, 1])  # the union has the teachers' order
    assert set(pairs.target.tolist()) == {0, 4, 7}
    assert pairs.target.bincount(minlength=10)[[0, 4, 7]].min() > 65  # 100 each, 4 standard deviations
    both = {(int(p), int(s)) for p, s in zip(photo[:, 2].round(), sketch[:, 2].round(), strict=True)}
    assert len(both) == 27  # each of the three photos of a class with each of the three sketches
    assert read.photo is not None
    assert torch.equal(pairs.photo, read.photo)


def test_teachers_judge_the_views_of_real_pairs(pair: TeacherPair) -> None:
    source = RealPairs(pair, Augment(flip=1.0), lambda x: 1 - x)  # type: ignore[arg-type]
    items = source.loaded(LatentDataset(0, 1, 5), CodedData(CLASSES[:2]))
    read = stack([items[i] for i in range(5)])
    assert read.photo is not None
    assert read.sketch is not None
    pairs = source.sample(read)
    torch.testing.assert_close(pairs.photo, read.photo.flip(3))
    torch.testing.assert_close(pairs.sketch, 1 - read.sketch)
    torch.testing.assert_close(pairs.photo_teacher.logits, pair.photo(pairs.photo).logits)
    torch.testing.assert_close(pairs.sketch_teacher.logits, pair.sketch(pairs.sketch).logits)


def test_teachers_judge_real_pairs(pair: TeacherPair) -> None:
    _, pairs = real(pair, CLASSES[:2], 5)
    torch.testing.assert_close(pairs.photo_teacher.logits, pair.photo(pairs.photo).logits)
    torch.testing.assert_close(pairs.sketch_teacher.features, pair.sketch(pairs.sketch).features)


def test_real_pairs_are_a_function_of_seed_and_index(pair: TeacherPair) -> None:
    source = RealPairs(pair)
    shown = CodedData(CLASSES[:3])
    first, again, other = (source.loaded(LatentDataset(seed, 1, 8), shown) for seed in (5, 5, 6))
    codes = [
        [torch.stack([x[:, 0, 0] for x in (item.photo, item.sketch) if x is not None]) for item in items]
        for items in (
            [first[i] for i in range(20)],
            [again[i] for i in reversed(range(20))],
            [other[i] for i in range(20)],
        )
    ]
    assert all(torch.equal(a, b) for a, b in zip(codes[0], reversed(codes[1]), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(codes[0], codes[2], strict=True))


def test_real_pairs_need_images(pair: TeacherPair) -> None:
    source, stream = RealPairs(pair), LatentDataset(0, 1, 4)
    with pytest.raises(InputError, match=r"^data\.dataset: must be named, because RealPairs takes its images from it"):
        source.loaded(stream, None)
    with pytest.raises(InputError, match=r"class 'unicorn' is known to no teacher"):
        source.loaded(stream, CodedData((CLASSES[0], "unicorn")))
    with pytest.raises(InputError, match=rf"{CLASSES[1]!r} has 3 training photos and 0 training sketches"):
        source.loaded(stream, CodedData(CLASSES[:2], **{CLASSES[1]: 0}))


def test_real_pairs_of_latents_without_images_are_a_defect(pair: TeacherPair) -> None:
    with pytest.raises(RuntimeError, match="the loader did not read"):
        RealPairs(pair).sample(latents(2))
