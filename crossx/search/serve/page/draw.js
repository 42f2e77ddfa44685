// The sheet of paper: strokes, undo and redo, and the same drawing at any size of the window.
import SignaturePad from "./signature_pad.js";

const PALM_MS = 500; // a hand that rests beside a pen touches the screen, too
const INK = "#1c1d21";

export class Sheet {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{changed: (finished: boolean) => void}} on told of every change; finished when no stroke is being drawn
   */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.side = 0;
    this.width = 5;
    /** @typedef {import("./signature_pad.js").PointGroup[]} Drawing */
    /** @type {Drawing[]} */
    this.past = [];
    /** @type {Drawing[]} */
    this.future = [];
    this.pad = new SignaturePad(canvas, { penColor: INK, minDistance: 2, throttle: 8 });
    this.setWidth(this.width);
    let pen = -PALM_MS;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "pen") pen = event.timeStamp;
      if (event.pointerType === "touch" && event.timeStamp - pen < PALM_MS) event.stopImmediatePropagation();
      else if (event.isPrimary) canvas.setPointerCapture?.(event.pointerId);
    }, true);
    canvas.addEventListener("pointermove", (event) => { if (event.pointerType === "pen") pen = event.timeStamp; });
    this.pad.addEventListener("beginStroke", () => { this.keep(); this.on.changed(false); });
    this.pad.addEventListener("afterUpdateStroke", () => this.on.changed(false));
    this.pad.addEventListener("endStroke", () => this.on.changed(true));
    new ResizeObserver(() => this.fit()).observe(canvas);
    this.fit();
  }

  /** Give the canvas the pixels of its place on the screen, and draw everything again at the new scale. */
  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width || !height) return;
    const side = Math.min(width, height), ratio = window.devicePixelRatio || 1;
    const groups = this.pad.toData();
    const left = this.left ?? 0, top = this.top ?? 0, scale = this.side ? side / this.side : 1;
    this.side = side;
    this.left = (width - side) / 2;
    this.top = (height - side) / 2;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.getContext("2d")?.scale(ratio, ratio);
    for (const group of new Set([groups, ...this.past, ...this.future].flat()))
      for (const point of group.points) {
        point.x = (point.x - left) * scale + this.left;
        point.y = (point.y - top) * scale + this.top;
      }
    this.pad.fromData(groups);
  }

  get empty() { return this.pad.toData().length === 0; }

  /** @param {number} width in pixels of the screen; it is for the eye, and no part of the query */
  setWidth(width) {
    this.width = width;
    this.pad.minWidth = this.pad.maxWidth = width / 2;
    this.pad.dotSize = width / 2;
  }

  undo() { this.step(this.past, this.future); }

  redo() { this.step(this.future, this.past); }

  /** Clear the sheet; undo brings the drawing back. */
  clear() {
    this.keep();
    this.redraw([]);
  }

  /** Keep the drawing as it is, for undo. */
  keep() {
    this.past.push([...this.pad.toData()]);
    this.future = [];
  }

  /** @param {Drawing[]} from @param {Drawing[]} to */
  step(from, to) {
    const drawing = from.pop();
    if (!drawing) return;
    to.push([...this.pad.toData()]);
    this.redraw(drawing);
  }

  /** @param {Drawing} groups */
  redraw(groups) {
    this.pad.clear();
    this.pad.fromData(groups);
    this.on.changed(true);
  }

  /** The strokes as QuickDraw has them, [[[x, ...], [y, ...]], ...], in 1024ths of the sheet's shorter side. */
  strokes() {
    const unit = (/** @type {number} */ value, /** @type {number} */ from) => Math.round(((value - from) / this.side) * 1024);
    return this.pad.toData().map(({ points }) => [points.map((p) => unit(p.x, this.left ?? 0)), points.map((p) => unit(p.y, this.top ?? 0))]);
  }

  /**
   * Show strokes that `strokes` has given; tells nobody.
   * @param {number[][][]} strokes
   */
  show(strokes) {
    const options = { dotSize: this.width / 2, minWidth: this.width / 2, maxWidth: this.width / 2, penColor: INK,
      velocityFilterWeight: 0.7, compositeOperation: /** @type {GlobalCompositeOperation} */ ("source-over") };
    const at = (/** @type {number} */ value, /** @type {number} */ from) => (value / 1024) * this.side + from;
    const groups = strokes.map(([x, y]) => ({
      ...options,
      points: x.map((_, i) => ({ x: at(x[i], this.left ?? 0), y: at(y[i], this.top ?? 0), pressure: 0.5, time: i * 16 })),
    }));
    this.past = groups.map((_, i) => groups.slice(0, i));
    this.future = [];
    this.pad.clear();
    this.pad.fromData(groups);
  }
}
