// The state of the page as an address: back and forward work, and a search can be kept as a bookmark.

/** @typedef {import("./api.js").Query} Query */

const LONGEST = 8000; // longer addresses are cut by mail programs and proxies
const END = "-";

/** @param {Query} query @param {string} under */
export function toAddress(query, under) {
  const words = new URLSearchParams();
  if (query.kind === "like") words.set("like", String(query.id));
  if (query.kind === "class") words.set("show", query.name);
  if (under) words.set("under", under);
  const drawing = query.kind === "drawing" ? `#${write(query.strokes)}` : "";
  return `${location.pathname}${words.size ? "?" : ""}${words}${drawing.length < LONGEST ? drawing : ""}`;
}

/** @param {Location} place @returns {{query: Query, under: string}} */
export function fromAddress(place) {
  const words = new URLSearchParams(place.search), under = words.get("under") ?? "";
  const id = Number(words.get("like")), name = words.get("show"), strokes = read(place.hash.slice(1));
  if (Number.isSafeInteger(id) && id > 0) return { query: { kind: "like", id }, under };
  if (name) return { query: { kind: "class", name }, under };
  return { query: strokes.length ? { kind: "drawing", strokes } : { kind: "none" }, under };
}

/**
 * Strokes as text: each number in two digits to the base of 36, with a mark between strokes.
 * @param {number[][][]} strokes in 1024ths of the sheet
 */
function write(strokes) {
  const digits = (/** @type {number} */ value) => Math.min(1295, Math.max(0, value + 128)).toString(36).padStart(2, "0");
  return strokes.map(([x, y]) => x.map((_, i) => digits(x[i]) + digits(y[i])).join("")).join(END);
}

/** @param {string} text @returns {number[][][]} */
function read(text) {
  if (!/^([0-9a-z]{4}|-)+$/.test(text)) return [];
  return text.split(END).filter(Boolean).map((stroke) => {
    const numbers = (stroke.match(/../g) ?? []).map((digits) => parseInt(digits, 36) - 128);
    return [numbers.filter((_, i) => i % 2 === 0), numbers.filter((_, i) => i % 2 === 1)];
  });
}
