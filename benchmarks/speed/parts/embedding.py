"""Embedding of photos that lie in memory."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from benchmarks.speed.effort import Effort
from benchmarks.speed.timing import Row, in_turn, scaled
from crossx.search.predictor import Predictor
from crossx.search.stored import load_encoders

_TOGETHER = 256
_SLICE = 64
"""Images that torch embeds at once, as crossx does: activations of more do not fit into the processor's cache."""


def measure(effort: Effort) -> list[Row]:
    """Time the predictor beside what it runs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "encoder"
        teachers = [f"crossx:assets/shapes_{side}.safetensors" for side in ("photo", "sketch")]
        words = ["export", "--teachers", *teachers, "--out", str(folder)]
        subprocess.run([sys.executable, "-m", "crossx", *words], check=True, capture_output=True)
        images = np.random.default_rng(0).integers(256, size=(_TOGETHER, 3, 32, 32), dtype=np.uint8)
        by_onnx, by_torch = Predictor(folder, "onnx"), Predictor(folder, "torch")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(str(folder / "photo.onnx"), options, providers=["CPUExecutionProvider"])
        encoder = load_encoders(folder).photo
        pixels = torch.from_numpy(images)

        def alone() -> None:
            with torch.inference_mode():
                for part in torch.split(pixels, _SLICE):
                    encoder(part.float() / 255)

        taken = in_turn(
            {
                "crossx, onnxruntime": lambda: by_onnx.embed_photos(images),
                "onnxruntime alone": lambda: session.run(None, {"images": images}),
                "crossx, torch": lambda: by_torch.embed_photos(images),
                "torch alone": alone,
            },
            effort.rounds,
        )
    each = {way: scaled(found, 1 / _TOGETHER) for way, found in taken.items()}
    note = f"{_TOGETHER} photos in a call, {_SLICE} at once by torch, 32 px, the encoder of the demo"
    return [Row("embedding of a photo in memory", each, note)]
