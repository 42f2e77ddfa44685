// What the page asks of the server: one search at a time, and the latest one wins.

/**
 * @typedef {{kind: "none"} | {kind: "drawing", strokes: number[][][]} | {kind: "picture", file: Blob, as: "sketch" | "photo", unsure: boolean}
 *   | {kind: "like", id: number} | {kind: "class", name: string}} Query
 * @typedef {{id: number, verdict: string | null, name: string, folder: string, width: number, height: number, copies: number[]}} Photo
 * @typedef {{query: {kind: string, seen: string | null, warnings: string[], guesses: {class: string, p: number}[]},
 *   results: Photo[], exact: boolean, recall: number | null, next: number | null}} Answer
 */

/** A refusal by the server, in words for the user. */
export class Refusal extends Error {
  /** @param {{detail?: string, hint?: string}} problem */
  constructor(problem) {
    super(problem.detail || "The server could not answer.");
    this.hint = problem.hint;
  }
}

const MOST_TRIES = 3;
/** @type {AbortController | null} */
let running = null;

/**
 * Search; null when a later search has taken this one's place.
 * @param {Query} query
 * @param {{offset?: number, under?: string}} page
 * @returns {Promise<Answer | null>}
 */
export async function search(query, { offset = 0, under = "" } = {}) {
  running?.abort();
  const mine = (running = new AbortController());
  const words = new URLSearchParams({ k: "24", offset: String(offset), under });
  try {
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(`/api/v1/search/${route(query)}?${words}`, { ...body(query), signal: mine.signal });
      if (response.ok) {
        const answer = await response.json();
        return running === mine ? answer : null;
      }
      if (response.status !== 503 || attempt === MOST_TRIES) throw new Refusal(await problem(response));
      await new Promise((resolve) => setTimeout(resolve, 400 * attempt)); // the server is busy, and says so
      if (running !== mine) return null;
    }
  } catch (error) {
    if (running !== mine) return null;
    if (error instanceof Refusal) throw error;
    throw new Refusal({ detail: "The server cannot be reached. Is crossx serve still running?" });
  }
}

/** Give up the search that runs, if any. */
export function forget() {
  running?.abort();
  running = null;
}

/** @param {string} path */
export async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Refusal(await problem(response));
  return response.json();
}

/** @param {Query} query */
function route(query) {
  if (query.kind === "picture") return query.as;
  return query.kind === "drawing" ? "sketch" : query.kind === "class" ? "class" : "photo";
}

/** @param {Query} query */
function body(query) {
  if (query.kind === "picture") return { method: "POST", body: query.file, headers: { "Content-Type": query.file.type } };
  const content =
    query.kind === "drawing" ? { strokes: query.strokes } : query.kind === "like" ? { id: query.id } : query.kind === "class" ? { class: query.name } : {};
  return { method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } };
}

/** @param {Response} response */
async function problem(response) {
  return response.json().catch(() => ({}));
}
