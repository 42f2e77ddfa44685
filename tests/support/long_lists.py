"""Two classifiers whose class lists differ in length and have few classes in common."""

from dataclasses import replace
from pathlib import Path

import torch

from crossx.data.shapes.dataset import ShapesDataset
from crossx.networks.build import build_network
from crossx.teachers.teacher import load_teacher, save_teacher
from support.runs import Teachers

PHOTO = "crossx:assets/shapes_photo.safetensors"
SHARED = 8
KINDS = 337


@torch.no_grad()
def save_long_lists(folder: Path) -> Teachers:
    """The shipped photo teacher of ten classes, and a sketch teacher of 345 that knows eight of them.

    The sketch teacher is the shipped one, which tells the kinds of trees and umbrellas apart: each kind has the weights
    of its class and a random direction of its own in the features, so that sketches of a class are of many kinds, and
    all kinds of a class together are about as likely as the class was.
    """
    shipped = load_teacher("crossx:assets/shapes_sketch.safetensors")
    images = ShapesDataset(train=1, validation=1, test=8).images("sketch", "test")
    features = shipped(torch.stack([images[i].image for i in range(len(images))])).features
    centre = features.mean(0)
    state = dict(shipped.network.state_dict())
    weight, bias = state["head.weight"], state["head.bias"]
    rows, biases, names = [weight[:SHARED]], [bias[:SHARED]], list(shipped.card.classes[:SHARED])
    torch.manual_seed(0)
    for own, name in enumerate(shipped.card.classes[SHARED:], SHARED):
        count = KINDS // 2 + (own == SHARED)
        direction = torch.randn(count, len(centre))
        direction = direction / ((features - centre) @ direction.T).std(0)[:, None] * 2.5
        logits = (features - centre) @ direction.T + features @ weight[own][:, None] + bias[own]
        excess = (logits.logsumexp(1) - features @ weight[own] - bias[own]).mean()
        rows.append(weight[own] + direction)
        biases.append(bias[own] - direction @ centre - excess)
        names += [f"{name} {i}" for i in range(count)]
    state |= {"head.weight": torch.cat(rows), "head.bias": torch.cat(biases)}
    network = build_network("SmallResNet", dict(shipped.card.arguments), len(names))
    network.load_state_dict(state)
    path = str(folder / "sketch.safetensors")
    save_teacher(path, network, replace(shipped.card, classes=tuple(names), name="kinds", accuracy=None, split=None))
    return Teachers(PHOTO, path)
