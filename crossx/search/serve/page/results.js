// The photos that were found: a grid that keeps its pictures between answers, and the details of one photo.

/** @typedef {import("./api.js").Photo} Photo */

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
    else this.arrange(shown);
    this.items = new Map([...(further ? this.items : []), ...photos.map((photo, i) => /** @type {const} */ ([photo.id, shown[i]]))]);
    const first = this.list.querySelector("button");
    if (first && !this.list.querySelector('button[tabindex="0"]')) first.tabIndex = 0;
  }

  /** Whoever is at a photo stays at it, or at its place when it has gone. @param {HTMLLIElement[]} items */
  arrange(items) {
    const focused = document.activeElement, before = [...this.list.children];
    if (items.length === before.length && items.every((item, i) => item === before[i])) return;
    const place = before.findIndex((item) => item.contains(focused));
    this.list.replaceChildren(...items);
    const next = focused?.isConnected ? focused : items[Math.min(place, items.length - 1)]?.firstElementChild;
    if (place >= 0) /** @type {HTMLElement | undefined} */ (next)?.focus({ preventScroll: true });
  }

  focus() { this.list.querySelector("button")?.focus(); }

  /** @param {Photo} photo */
  item(photo) {
    const item = this.items.get(photo.id) ?? this.make(photo);
    const verdict = photo.verdict ?? "";
    const button = /** @type {any} */ (item.firstElementChild), image = button.firstElementChild, word = button.querySelector(".verdict");
    button.className = `photo ${verdict}`;
    button.onclick = () => this.open(photo);
    image.alt = [photo.name, verdict].filter(Boolean).join(", ");
    word.className = `verdict ${verdict}`;
    word.textContent = verdict;
    word.hidden = !verdict;
    return item;
  }

  /** @param {Photo} photo */
  make(photo) {
    const item = node("li"), button = node("button", { tabIndex: -1 });
    const image = node("img", { loading: "lazy", decoding: "async", width: 320, height: 320, sizes: "(max-width: 860px) 31vw, 190px" });
    image.srcset = [160, 320, 640].map((size) => `${thumb(photo.id, size)} ${size}w`).join(", ");
    image.src = thumb(photo.id, 320);
    const caption = node("span", { className: "caption", ariaHidden: "true" }); // the picture's text has it
    caption.append(node("span", { className: "verdict" }), node("span", { className: "file", textContent: photo.name, title: photo.name }));
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

/** @param {string} tag @param {object} [values] @returns {any} */
export function node(tag, values) { return Object.assign(document.createElement(tag), values); }

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

/** How the photos were found. @param {import("./api.js").Answer} answer */
export function how({ exact, recall }) {
  if (exact) return "Every photo was compared.";
  return recall === null ? "Fast search; its recall is not measured." : `Fast search: finds ${Math.floor(recall * 1000) / 10} % of the ten best, measured here.`;
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
