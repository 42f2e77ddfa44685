"""A sketch teacher that strangers might have, and TU-Berlin sketches: `python -m benchmarks.pens.bitmaps`.

The teacher learns the bitmaps of Quick, Draw! (light lines on black, 28 px) in a small network of its own without
BatchNorm, by a plain loop of PyTorch. It has another pen than TU-Berlin in every respect. Accuracy among the classes
that both data sets have, on TU-Berlin's test sketches: as they were drawn, with the pen that `crossx inspect
--fit-pen` chooses, and with the one that labels choose by the same search.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.pens.bitmap_network import SIZE, BitmapNetwork
from benchmarks.pens.drawings import Drawings, compare_pens
from crossx.core.atomic import write_text
from crossx.core.paths import resolve
from crossx.data.tuberlin import TUBerlin
from crossx.inspection.pen_fit import predict
from crossx.inspection.predictions import summarise
from crossx.pixels.pen import FINER, Pen
from crossx.teachers.card import TeacherCard
from crossx.teachers.teacher import load_teacher, save_teacher

CLASSES = {
    "airplane": "airplane",
    "banana": "banana",
    "bear": "bear (animal)",
    "bird": "flying bird",
    "cat": "cat",
    "coffee cup": "cup",
    "dog": "dog",
    "fish": "fish",
    "flower": "flower with stem",
    "frog": "frog",
    "house plant": "potted plant",
    "lion": "lion",
    "monkey": "monkey",
    "sheep": "sheep",
    "spoon": "spoon",
    "train": "train",
}
"""Word of Quick, Draw! -> class of TU-Berlin."""
CARD = TeacherCard(
    modality="sketch",
    network=f"{BitmapNetwork.__module__}.BitmapNetwork",
    arguments={},
    classes=tuple(CLASSES),
    input_size=SIZE,
    mean=(0.5,),
    std=(0.5,),
)
VALIDATION, TEST = range(50, 60), range(60, 80)
"""Sketches of a class of TU-Berlin that choose a pen, and that are measured."""


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser("python -m benchmarks.pens.bitmaps", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--teacher", type=Path, help="measure this teacher; without it, one is trained and written")
    parser.add_argument("--output", type=Path, default=Path("pens_bitmaps.json"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    if (file := arguments.teacher) is None:
        file = Path(f"bitmaps-{arguments.seed}.safetensors")
        torch.manual_seed(arguments.seed)
        save_teacher(file, train(arguments.epochs), CARD)
    teacher = load_teacher(file, "--teacher")
    validation, test = (tuberlin(indices) for indices in (VALIDATION, TEST))

    def accuracy(logits: Tensor, sketches: Drawings) -> float:
        found = summarise(logits, sketches.labels).accuracy
        return 0.0 if found is None else found.accuracy

    def measured(pen: Pen) -> float:
        return accuracy(predict(teacher, test.with_pen(pen)), test)

    rows = compare_pens(teacher, validation, test, accuracy, measured, {"inverted": Pen(white_on_black=True)})
    for row in rows:
        print(f"{row.name:16} {row.score:.4f}  {row.pen.to_mapping()}", flush=True)
    write_text(arguments.output, json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def train(epochs: int) -> BitmapNetwork:
    """Train on all bitmaps of the words but the last 100 of each, and print the accuracy on those."""
    words = [np.load(resolve(f"quickdraw/numpy_bitmap/{word}.npy", "CROSSX_DATA"), "r") for word in CLASSES]
    images = [torch.from_numpy(np.array(w)).view(-1, 1, SIZE, SIZE).float() / 127.5 - 1 for w in words]
    labels = torch.cat([torch.full((len(part) - 100,), i) for i, part in enumerate(images)])
    pixels = torch.cat([part[:-100] for part in images])
    network = BitmapNetwork(len(CLASSES))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(pixels)), 64):
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(network(pixels[batch]), labels[batch]))
            optimizer.step()
    with torch.inference_mode():
        right = [network(part[-100:]).argmax(1) == i for i, part in enumerate(images)]
    print(f"accuracy on its own bitmaps: {torch.cat(right).float().mean():.3f}", flush=True)
    return network.eval()


def tuberlin(indices: range) -> Drawings:
    """Read sketches of TU-Berlin, with the labels of the words."""
    reader = TUBerlin()
    found = [
        (name, i) for i, c in enumerate(CLASSES.values()) for name in reader.names(c)[indices.start : indices.stop]
    ]
    fine = [reader.read(name, FINER * SIZE) for name, _ in found]
    drawn = torch.stack([reader.read(name, SIZE) for name, _ in found]).float() / 255
    return Drawings(fine, drawn, torch.tensor([label for _, label in found]))


if __name__ == "__main__":
    main()
