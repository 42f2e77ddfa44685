"""A drawing as one HTML file that draws it again beside its photo; nothing is fetched, so it opens from any disk."""

import base64
import html
import json
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from crossx.core.checks import must_be_in
from crossx.core.errors import InputError
from crossx.strokes.sequence import Strokes, check_strokes
from crossx.strokes.svg import LINE_WIDTH

MOST_PIXELS = 256
"""Longest side of the photo in the file."""
_QUALITY = 90


def replay_html(
    strokes: Strokes,
    photo: npt.NDArray[np.uint8],
    attention: npt.NDArray[np.floating] | None = None,
    title: str = "Drawing",
    width: float = LINE_WIDTH,
) -> str:
    """Write a page with a photo and its drawing, a slider over the drawing's points, and a button that plays it.

    Args:
        strokes: A drawing in the unit square, which lies over the photo; what is outside is not shown.
        photo: (H, W, 3) or (H, W); photos above 256 pixels are made smaller.
        attention: Where the generator looked at each point, (L, h, w) for L points, at least 0 and not all 0. The page
            lays the mean over the stroke in hand on the photo. None for a page without.
        title: Title of the page.
        width: Line width in sides of the unit square.

    Returns:
        The text of the page, in UTF-8 below 300 KiB with maps of usual sizes (100 strokes of 16x16 cells take 35 KiB).

    Raises:
        InputError: When the drawing is empty or malformed, or the photo or the attention has another shape.
    """
    must_be_in("width", width, "(0, inf)")
    if not strokes:
        raise InputError("strokes: must have at least one stroke, got none")
    check_strokes(strokes)
    maps = None if attention is None else _stroke_maps(strokes, attention)
    data = {
        "strokes": [[[round(value, 4) for value in point] for point in stroke.tolist()] for stroke in strokes],
        "maps": None if maps is None else base64.b64encode(maps.tobytes()).decode(),
        "cells": None if maps is None else [maps.shape[2], maps.shape[1]],
    }
    lines = "".join("<polyline/>" for _ in strokes)
    return _PAGE.format(
        title=html.escape(title),
        photo=_data_uri(photo),
        lines=lines,
        width=f"{width:g}",
        points=sum(map(len, strokes)),
        hidden="" if maps is not None else " hidden",
        data=json.dumps(data, separators=(",", ":")),
    )


def _stroke_maps(strokes: Strokes, attention: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Mean attention of each stroke, 255 at its largest cell, (number of strokes, h, w)."""
    points = sum(map(len, strokes))
    if attention.ndim != 3 or len(attention) != points or 0 in attention.shape:
        raise InputError(f"attention: must have the shape (L, h, w) with L = {points} points, got {attention.shape}")
    if not (np.isfinite(attention).all() and attention.min() >= 0):
        raise InputError("attention: must be finite and at least 0, got other values")
    starts = np.cumsum([0, *map(len, strokes[:-1])])
    maps = np.add.reduceat(attention.astype(np.float64), starts, axis=0)
    brightest = np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-30)
    scaled: npt.NDArray[np.uint8] = (255 * maps / brightest).round().astype(np.uint8)
    return scaled


def _data_uri(photo: npt.NDArray[np.uint8]) -> str:
    if photo.dtype != np.uint8 or photo.ndim not in (2, 3) or photo.shape[2:] not in ((), (3,)) or 0 in photo.shape:
        raise InputError(f"photo: must be (H, W, 3) or (H, W) of uint8, got {photo.shape} of {photo.dtype}")
    image = Image.fromarray(photo).convert("RGB")
    image.thumbnail((MOST_PIXELS, MOST_PIXELS))
    file = BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px system-ui, sans-serif; margin: 2em auto; max-width: 45em; padding: 0 1em; }}
.sides {{ display: grid; grid-template-columns: 1fr 1fr; gap: 1em; }}
.side {{ position: relative; aspect-ratio: 1; border: 1px solid #999; background: #fff; }}
.side > * {{ position: absolute; width: 100%; height: 100%; }}
canvas {{ opacity: .55; }}
polyline {{ fill: none; stroke: #000; stroke-linecap: round; stroke-linejoin: round; }}
polyline.now {{ stroke: #c00; }}
.controls {{ display: flex; gap: 1em; margin-top: 1em; align-items: center; }}
input[type=range] {{ flex: 1; }}
</style>
<h1>{title}</h1>
<div class="sides">
<div class="side"><img alt="Photo" src="{photo}"><canvas id="map"{hidden}></canvas></div>
<div class="side"><svg viewBox="0 0 1 1" stroke-width="{width}" role="img" aria-label="Drawing">{lines}</svg></div>
</div>
<div class="controls">
<button id="play">Play</button>
<input id="place" type="range" min="0" max="{points}" value="{points}" aria-label="Points drawn">
<output id="said"></output>
<label{hidden}><input id="shown" type="checkbox" checked> attention</label>
</div>
<script type="application/json" id="data">{data}</script>
<script>
"use strict";
const find = (id) => document.getElementById(id);
const {{strokes, maps, cells}} = JSON.parse(find("data").textContent);
const lines = document.querySelectorAll("polyline");
const place = find("place"), play = find("play"), map = find("map");
const bytes = maps && Uint8Array.from(atob(maps), (letter) => letter.charCodeAt(0));

function showMap(i) {{
  map.hidden = !maps || i < 0 || !find("shown").checked;
  if (map.hidden) return;
  [map.width, map.height] = cells;
  const image = new ImageData(cells[0], cells[1]);
  for (let k = 0; k < cells[0] * cells[1]; k++) {{
    image.data.set([255, 40, 0, bytes[i * cells[0] * cells[1] + k]], 4 * k);
  }}
  map.getContext("2d").putImageData(image, 0, 0);
}}

function show() {{
  let left = Number(place.value), now = -1;
  strokes.forEach((stroke, i) => {{
    const drawn = stroke.slice(0, Math.max(left, 0));
    if (drawn.length) now = i;
    // A line of one point is not shown, but one of two equal points is a dot.
    lines[i].setAttribute("points", (drawn.length === 1 ? [drawn[0], drawn[0]] : drawn).join(" "));
    left -= stroke.length;
  }});
  lines.forEach((line, i) => line.classList.toggle("now", i === now && Number(place.value) < Number(place.max)));
  find("said").textContent = `stroke ${{now + 1}} of ${{strokes.length}}`;
  showMap(now);
}}

let timer = 0;
function stop() {{
  clearInterval(timer);
  timer = 0;
  play.textContent = "Play";
}}
play.addEventListener("click", () => {{
  if (timer) return stop();
  if (place.value === place.max) place.value = 0;
  play.textContent = "Pause";
  timer = setInterval(() => {{
    place.value = Number(place.value) + 1;
    show();
    if (place.value === place.max) stop();
  }}, 60);
}});
place.addEventListener("input", () => {{ stop(); show(); }});
find("shown").addEventListener("change", show);
show();
</script>
</html>
"""
