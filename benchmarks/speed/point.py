"""One point of how cost grows, in a process of its own, whose peak of memory is that of the point.

python -m benchmarks.speed.point generators --batch 128 --size 32 --classes 10
python -m benchmarks.speed.point gallery --photos 100000
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path

import torch

from benchmarks.speed.parts.evaluation import drawn
from benchmarks.speed.runs import untrained
from benchmarks.speed.timing import Times, in_turn
from crossx.cli.precision import computes_bfloat16
from crossx.evaluation.functional import retrieval_scores
from crossx.evaluation.ranking import cosine_scores
from crossx.pairs.latents import LatentDataset
from crossx.reconstruction.generators import DeepUpsamplingGenerator
from crossx.reconstruction.losses import ActivationLoss, BatchNormStatisticsLoss, InformationEntropyLoss, OneHotLoss
from crossx.reconstruction.losses.base import ReconstructionTerm
from crossx.reconstruction.module import ReconstructionModule
from crossx.types import Modality, Progress

QUERIES = 100
"""Of each gallery, where nothing else is said."""


def generators(batch: int, size: int, classes: int, rounds: int) -> Times:
    """Time a generator step."""
    terms = {
        "one_hot": ReconstructionTerm(OneHotLoss(), 4.0),
        "entropy": ReconstructionTerm(InformationEntropyLoss(), 15.0),
        "activation": ReconstructionTerm(ActivationLoss(), 0.1),
        "statistics": ReconstructionTerm(BatchNormStatisticsLoss()),
    }

    def generator(modality: Modality) -> DeepUpsamplingGenerator:
        return DeepUpsamplingGenerator(modality, size, 256, 32, doublings=2 if size <= 32 else 4)

    with tempfile.TemporaryDirectory() as folder:
        names = tuple(f"class {i}" for i in range(classes))
        words = untrained(Path(folder), "SmallResNet", {"widths": [32, 64, 192, 256]}, size, names)
        paths = [word.partition("=")[2] for word in words]
        module = ReconstructionModule(paths[0], paths[1], generator, terms)
    optimizer = torch.optim.Adam(module.generators.parameters(), lr=0.002)
    stream = LatentDataset(0, module.latent_dim, 1)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bfloat16()):
            loss = module.step(stream.__getitems__(list(range(batch))), Progress(0, 100)).loss
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()

    return in_turn({"": step}, rounds)[""]


def gallery(queries: int, photos: int, rounds: int) -> Times:
    """Time all measures of some queries over a gallery."""
    sketches, vectors, labels, gallery_labels = drawn(queries, photos)

    def work() -> None:
        retrieval_scores(cosine_scores(sketches, vectors), labels, gallery_labels).summary()

    return in_turn({"": work}, rounds)[""]


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage counts what the parent had when it started this process, too
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on a Mac


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser("benchmarks.speed.point", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("generators", "gallery"))
    usual = {"batch": 128, "size": 32, "classes": 10, "queries": QUERIES, "photos": 10_000, "rounds": 5}
    for name, value in usual.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    if arguments.what == "generators":
        found = generators(arguments.batch, arguments.size, arguments.classes, arguments.rounds)
    else:
        found = gallery(arguments.queries, arguments.photos, arguments.rounds)
    print(json.dumps({**vars(found), "MB": peak() / 2**20}))


if __name__ == "__main__":
    main()
