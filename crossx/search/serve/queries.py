"""What a client sends, as the encoder understands it: strokes, pictures, photos of the gallery, and names of classes."""

import base64
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from crossx.core.errors import InputError
from crossx.pixels.decode import DECODER_ERRORS, open_rgb
from crossx.pixels.fit import fit_photo
from crossx.search.calibration import Verdict
from crossx.search.gallery.protocol import Gallery
from crossx.search.gallery.rows import F32
from crossx.search.predictor import Predictor
from crossx.search.serve.limits import MOST_PIXELS, MOST_SVG_BYTES
from crossx.search.serve.problems import Problem, wrong

U8 = npt.NDArray[np.uint8]
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
"""Pictures that are read, and their decoders; what is inside must be what the type says."""
_SVG = "image/svg+xml"
_SEEN = 128
"""Side in pixels of the picture that shows what the encoder saw."""
