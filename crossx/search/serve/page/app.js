// The page: what is asked (a drawing, a picture, a photo, a kind of thing), and what is shown of the answer.
import { forget, get, Refusal, search } from "./api.js";
import { Sheet } from "./draw.js";
import { Grid, fit, how, looks, node, thumb } from "./results.js";
import { fromAddress, toAddress } from "./address.js";

/** @typedef {import("./api.js").Query} Query */

const PAUSE_MS = 120; // after the last point; the hand is faster than any answer
const MOST_WAIT_MS = 400; // photos change during a long stroke, too
const WATCH_MS = 4000;

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);
const paper = at("paper"), found = at("found");

/** @type {Query} */
let query = { kind: "none" };
let under = "";
let shown = 0;
/** @type {number | null} */
let next = null;
let timer = 0;
let waiting = 0;
let running = 0, changed = false;
let photos = -1;

const sheet = new Sheet(at("canvas"), { changed: drawn });
const grid = new Grid(at("grid"), details);

// asking

/** @param {boolean} finished */
function drawn(finished) {
  tools();
  if (sheet.empty) return ask({ kind: "none" }, finished ? "replace" : "");
  const first = query.kind !== "drawing";
  query = { kind: "drawing", strokes: sheet.strokes() };
  if (first) forget();
  clearTimeout(timer);
  waiting ||= performance.now();
  const pause = Math.max(0, Math.min(PAUSE_MS, waiting + MOST_WAIT_MS - performance.now()));
  timer = setTimeout(follow, pause);
  if (finished || first) remember(first ? "push" : "replace");
}

/** Search for the drawing as it is now; after the search that runs, whose photos a slow server would never show else. */
function follow() {
  waiting = 0;
  changed = running > 0;
  if (!running) run().finally(() => { if (changed && query.kind === "drawing") follow(); });
}

/**
 * Ask for something else.
 * @param {Query} wanted
 * @param {"push" | "replace" | ""} history
 */
function ask(wanted, history = "push") {
  query = wanted;
  if (history) remember(history);
  return run();
}

/** @param {boolean} further whether the next photos of the same answer are wanted */
async function run(further = false) {
  clearTimeout(timer);
  waiting = 0;
  reflect();
  if (query.kind === "none") { forget(); return empty(); }
  const busy = setTimeout(() => found.classList.add("busy"), 250);
  running++;
  try {
    const answer = await search(query, { offset: further ? (next ?? 0) : 0, under });
    if (!answer) return;
    at("problem").hidden = true;
    show(answer, further);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.hint === "photo" && query.kind === "picture" && query.unsure) return ask({ ...query, as: "photo", unsure: false }, "replace");
    at("problem").textContent = error.message;
    at("problem").hidden = false;
    at("empty").hidden = true;
  } finally {
    running--;
    clearTimeout(busy);
    found.classList.remove("busy");
  }
}

// showing

/** @param {import("./api.js").Answer} answer @param {boolean} further */
function show(answer, further) {
  const before = document.activeElement === at("more") ? shown : -1;
  grid.show(answer.results, further);
  shown = (further ? shown : 0) + answer.results.length;
  next = answer.next;
  at("more").hidden = next === null;
  at("empty").hidden = true;
  if (!further) [at("looks").textContent, at("fit").textContent] = [looks(answer), fit(answer, shown)];
  at("how").textContent = how(answer);
  if (before >= 0 && further) at("grid").children[before]?.firstElementChild.focus();
  const { seen, guesses, warnings } = answer.query;
  at("read").hidden = !seen;
  if (seen) at("seen").src = seen;
  at("warnings").textContent = warnings.join("; ");
  at("guesses").replaceChildren(...guesses.filter((guess, i) => i === 0 || guess.p >= 0.005).map((guess) => {
    const line = node("li"), bar = node("i");
    bar.style.setProperty("--p", guess.p * 100);
    line.append(node("b", { textContent: guess.class }), node("span", { textContent: `${Math.round(guess.p * 100)} %` }), bar);
    return line;
  }));
}

function empty() {
  grid.show([], false);
  shown = 0;
  at("more").hidden = at("read").hidden = at("problem").hidden = true;
  at("looks").textContent = at("fit").textContent = at("how").textContent = "";
  at("empty").hidden = false;
}

/** Bring the controls in line with the query. */
function reflect() {
  const picture = query.kind === "picture" ? URL.createObjectURL(query.file) : query.kind === "like" ? thumb(query.id, 640) : "";
  at("picture").hidden = !picture;
  if (picture) at("preview").src = picture;
  at("preview").alt = query.kind === "like" ? "The photo to find more of" : "The picture that is searched with";
  at("preview").onload = () => URL.revokeObjectURL(picture);
  at("ask").dataset.kind = query.kind;
  at("kinds").hidden = query.kind !== "picture";
  for (const input of at("kinds").querySelectorAll("input")) input.checked = query.kind === "picture" && query.as === input.value;
  for (const chip of at("chips").querySelectorAll("button")) chip.ariaPressed = String(query.kind === "class" && query.name === chip.textContent);
  at("everywhere").hidden = !under;
  at("folder").textContent = under;
  tools();
}

function tools() {
  paper.classList.toggle("drawn", !sheet.empty || (query.kind !== "none" && query.kind !== "class"));
  at("undo").disabled = !sheet.past.length;
  at("redo").disabled = !sheet.future.length;
  at("clear").disabled = sheet.empty && query.kind === "none";
}

/** @param {import("./api.js").Photo} photo */
function details(photo) {
  const dialog = /** @type {HTMLDialogElement} */ (at("details"));
  const verdict = { likely: "Likely what you look for", possible: "Possibly what you look for", unlikely: "Unlikely to be what you look for" }[photo.verdict ?? ""];
  const copies = photo.copies.length && `${photo.copies.length} exact ${photo.copies.length === 1 ? "copy" : "copies"}`;
  at("photo").src = thumb(photo.id, 640);
  at("photo").alt = photo.name;
  at("name").textContent = photo.name;
  at("facts").textContent = [verdict, `${photo.width} × ${photo.height} pixels`, copies].filter(Boolean).join(" · ");
  at("full").href = `/api/v1/photos/${photo.id}/full`;
  at("here").hidden = !photo.folder || photo.folder === under;
  at("like").onclick = () => { dialog.close(); blank(); ask({ kind: "like", id: photo.id }).then(() => grid.focus()); };
  at("here").onclick = () => { dialog.close(); within(photo.folder); };
  dialog.showModal();
}

// controls

/** Take everything off the sheet, for a query that is no drawing. */
function blank() { sheet.show([]); }

/** @param {string} folder */
function within(folder) { under = folder; remember("push"); run(); }

/** @param {Blob | null | undefined} file */
function take(file) {
  if (!file) return;
  blank();
  ask({ kind: "picture", file, as: "sketch", unsure: true });
}

at("skip").onclick = (/** @type {Event} */ event) => { event.preventDefault(); found.focus(); };
at("undo").onclick = () => sheet.undo();
at("redo").onclick = () => sheet.redo();
at("clear").onclick = () => (sheet.empty ? ask({ kind: "none" }) : sheet.clear());
at("leave").onclick = () => ask({ kind: "none" });
at("more").onclick = () => run(true);
at("everywhere").onclick = () => within("");
at("upload").onclick = () => at("file").click();
at("file").onchange = () => { take(at("file").files[0]); at("file").value = ""; };
for (const input of document.querySelectorAll('input[name="width"]'))
  input.addEventListener("change", () => sheet.setWidth(Number(/** @type {HTMLInputElement} */ (input).value)));
for (const input of at("kinds").querySelectorAll("input"))
  input.onchange = () => query.kind === "picture" && ask({ ...query, as: input.value, unsure: false }, "replace");
at("details").addEventListener("click", (/** @type {Event} */ event) => { if (event.target === at("details")) at("details").close(); });

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || at("details").open) return;
  const key = event.key.toLowerCase();
  if (key === "z" || key === "y") { event.preventDefault(); if (key === "y" || event.shiftKey) sheet.redo(); else sheet.undo(); }
});
document.addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])].find((file) => file.type.startsWith("image/"))));
let over = 0; // enter and leave come for every element under the pointer
for (const [name, step] of /** @type {const} */ ([["dragenter", 1], ["dragleave", -1]]))
  document.addEventListener(name, () => { over += step; paper.classList.toggle("over", over > 0); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  over = 0;
  paper.classList.remove("over");
  take(event.dataTransfer?.files[0]);
});

// the address, and the gallery

/** @param {"push" | "replace"} way */
function remember(way) {
  history[`${way}State`]({ query, under }, "", toAddress(query, under)); // an address has no pictures
}

/** @param {{query: Query, under: string}} state */
function restore(state) {
  ({ query, under } = state);
  sheet.show(query.kind === "drawing" ? query.strokes : []);
  run();
}
addEventListener("popstate", (event) => {
  const state = event.state ?? fromAddress(location);
  if (event.state || !location.hash || state.query.kind !== "none") restore(state); // else a place on the page
});

/** Follow the gallery: its classes once, and new photos while it is being indexed. */
async function watch() {
  if (reading()) return void setTimeout(watch, WATCH_MS);
  try {
    const gallery = await get("/api/v1/gallery");
    at("count").textContent = `${gallery.count.toLocaleString()} ${gallery.count === 1 ? "photo" : "photos"}${gallery.indexing ? ", more are being added" : ""}`;
    if (photos < 0) chips(gallery.classes ?? []);
    else if (photos !== gallery.count && query.kind !== "none" && shown <= 24) run();
    photos = gallery.count;
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof TypeError)) throw error; // a server that is away is said by a search
  }
  setTimeout(watch, WATCH_MS);
}

/** Whether somebody is among the photos, which must not be exchanged then. */
function reading() { return at("details").open || at("grid").contains(document.activeElement); }

/** @param {string[]} names */
function chips(names) {
  at("classes").hidden = !names.length;
  at("chips").replaceChildren(...names.map((name) => {
    const item = node("li"), chip = node("button", { className: "chip", textContent: name, ariaPressed: "false" });
    chip.onclick = () => { blank(); ask(chip.ariaPressed === "true" ? { kind: "none" } : { kind: "class", name }); };
    item.append(chip);
    return item;
  }));
  reflect();
}

restore(history.state ?? fromAddress(location));
watch();
