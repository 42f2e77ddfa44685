"""Score photos against a sketch with a trained model."""

from pathlib import Path

import torch

from crossx import CoTrainingModule
from crossx.data.images import load_image

model = CoTrainingModule.load_from_checkpoint("runs/quickstart/version_0/checkpoints/last.ckpt").eval()
sketch = load_image(Path("my_sketch.png"), "sketch", 32)[None] / 255  # (1, 3, 32, 32)
photos = torch.stack([load_image(path, "photo", 32) for path in sorted(Path("photos").iterdir())]) / 255
with torch.inference_mode():
    scores = model.encode(sketch, "sketch") @ model.encode(photos, "photo").T  # cosines, (1, G)
