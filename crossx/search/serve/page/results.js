// The photos that were found: a grid that keeps its pictures between answers, and the details of one photo.

/** @typedef {import("./api.js").Photo} Photo */

const WORDS = /** @type {Record<string, string>} */ ({ likely: "Likely", possible: "Possible", unlikely: "Unlikely" });
const BESIDE = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1 });

export class Grid {
  /**
   * @param {HTMLUListElement} list
   * @param {(photo: Photo) => void} open what a chosen photo does
   */
  constructor(list, open) {
    this.list = list;
    this.open = open;
    /** @type {Map<number, HTMLLIElement>} */
    this.items = new Map();
    list.addEventListener("keydown", (event) => this.move(event));
    list.addEventListener("focusin", (event) => {
      if (event.target instanceof HTMLButtonElement) this.rove(event.target);
    });
  }

  /**
   * Show photos in this order; a photo that is there already keeps its element, so that nothing flickers.
   * @param {Photo[]} photos
   * @param {boolean} further whether they follow those that are shown
   */
  show(photos, further) {
    const shown = photos.map((photo) => this.item(photo));
    if (further) this.list.append(...shown);
    else this.list.replaceChildren(...shown);
    this.items = new Map([...(further ? this.items : []), ...photos.map((photo, i) => /** @type {const} */ ([photo.id, shown[i]]))]);
    const first = this.list.querySelector("button");
    if (first && !this.list.querySelector('button[tabindex="0"]')) first.tabIndex = 0;
  }

  focus() { this.list.querySelector("button")?.focus(); }

  /** @param {Photo} photo */
  item(photo) {
    const item = this.items.get(photo.id) ?? this.make(photo);
    const verdict = photo.verdict ?? "";
    const button = /** @type {HTMLButtonElement} */ (item.firstElementChild);
    button.className = `photo ${verdict}`;
    button.onclick = () => this.open(photo);
    const image = /** @type {HTMLImageElement} */ (button.firstElementChild);
    image.alt = [photo.name, WORDS[verdict]?.toLowerCase()].filter(Boolean).join(", ");
    const word = /** @type {HTMLElement} */ (button.querySelector(".verdict"));
    word.className = `verdict ${verdict}`;
    word.textContent = WORDS[verdict] ?? "";
    word.hidden = !verdict;
    return item;
  }

  /** @param {Photo} photo */
  make(photo) {
    const item = document.createElement("li"), button = document.createElement("button"), image = new Image();
    button.type = "button";
    button.tabIndex = -1;
    image.loading = "lazy";
    image.decoding = "async";
    image.width = image.height = 320;
    image.sizes = "(max-width: 860px) 31vw, 190px";
    image.srcset = [160, 320, 640].map((size) => `${thumb(photo.id, size)} ${size}w`).join(", ");
    image.src = thumb(photo.id, 320);
    const caption = document.createElement("span"), file = document.createElement("span"), word = document.createElement("span");
    caption.className = "caption";
    caption.ariaHidden = "true"; // the picture's text has it
    file.className = "file";
    file.textContent = photo.name;
    file.title = photo.name;
    caption.append(word, file);
    word.className = "verdict";
    button.append(image, caption);
    item.append(button);
    return item;
  }

  /** @param {HTMLButtonElement} button that alone is reached by the Tab key from now on */
  rove(button) {
    for (const other of this.list.querySelectorAll('button[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
    button.tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    const buttons = [...this.list.querySelectorAll("button")], at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    if (at < 0) return;
    const top = buttons[0].offsetTop, columns = Math.max(1, buttons.filter((button) => button.offsetTop === top).length);
    const step = BESIDE[event.key] ?? { ArrowUp: -columns, ArrowDown: columns, Home: -at, End: buttons.length - 1 - at }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, at + step))].focus();
  }
}

/** @param {number} id @param {number} size */
export function thumb(id, size) { return `/api/v1/photos/${id}/thumb?size=${size}`; }

/**
 * What the query looks like, read aloud by a screen reader; everybody else sees the bars.
 * @param {import("./api.js").Answer} answer
 */
export function looks(answer) {
  const [guess] = answer.query.guesses;
  return guess && answer.query.kind !== "class" ? `Looks like ${guess.class} (${Math.round(guess.p * 100)} %). ` : "";
}

/**
 * One sentence on how well the photos fit.
 * @param {import("./api.js").Answer} answer
 * @param {number} shown
 */
export function fit(answer, shown) {
  if (!shown) return "No photo is here.";
  const count = (/** @type {string} */ verdict) => answer.results.filter((photo) => photo.verdict === verdict).length;
  const [likely, possible] = [count("likely"), count("possible")];
  if (answer.results[0].verdict === null) return `The ${shown} nearest photos.`;
  if (likely === shown) return `The first ${shown} photos are all likely.`;
  if (!likely && !possible) return "Nothing fits well; these are the nearest photos.";
  const parts = [likely && `${likely} likely`, possible && `${possible} possible`].filter(Boolean).join(" and ");
  return `${parts} among the first ${shown} photos.`;
}
