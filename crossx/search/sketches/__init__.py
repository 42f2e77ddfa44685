"""What users draw, as the sketch encoder gets it: strokes, pictures and SVG."""

from crossx.search.sketches.sketch import Sketch
from crossx.search.sketches.strokes import sketch_from_json, sketch_from_strokes

__all__ = ["Sketch", "sketch_from_json", "sketch_from_strokes"]
