"""What users draw, as the sketch encoder gets it: strokes, pictures and SVG."""

from crossx.search.sketches.pictures import sketch_from_picture
from crossx.search.sketches.sketch import Sketch
from crossx.search.sketches.strokes import sketch_from_json, sketch_from_strokes
from crossx.search.sketches.svg import sketch_from_svg

__all__ = ["Sketch", "sketch_from_json", "sketch_from_picture", "sketch_from_strokes", "sketch_from_svg"]
