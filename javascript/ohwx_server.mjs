// The routes under ohwx/, asked relative to the page, so that a sub-path, --share and any proxy work.

/** What went wrong as one sentence; isAway where nobody answered, so that asking again may help. */
export class ServerError extends Error {
  /** @param {string} message @param {boolean} [isAway] */
  constructor(message, isAway = false) {
    super(message);
    this.isAway = isAway;
  }
}

const AWAY = "The webui does not answer.";
const AWAY_STATES = [502, 503, 504]; // what a proxy answers while the webui is away
const PATIENCE = 30; // s

/** @param {Response} answer @returns {Promise<any>} */
const asJson = (answer) => answer.json();

/** @param {Response} answer @returns {Promise<any>} */
const asText = (answer) => answer.text();

/** @param {Response} answer @returns {Promise<any>} */
const asBlob = (answer) => answer.blob();

/**
 * @param {string} path
 * @param {RequestInit} options
 * @param {number} patience s
 * @param {(answer: Response) => Promise<any>} read
 */
async function ask(path, options, patience = PATIENCE, read = asJson) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), patience * 1000);
  options.signal?.addEventListener("abort", () => abort.abort());
  try {
    const address = new URL(path, location.href);
    const answer = await fetch(address, { ...options, signal: abort.signal, credentials: "same-origin" });
    if (!answer.ok) throw new ServerError(await sentence(answer), AWAY_STATES.includes(answer.status));
    return await read(answer);
  } catch (error) {
    throw error instanceof ServerError ? error : new ServerError(AWAY, true);
  } finally {
    clearTimeout(timer);
  }
}

/** What an answer that is no success says. @param {Pick<Response, "status" | "statusText" | "json">} answer */
export async function sentence(answer) {
  if (answer.status === 401) return "You are logged out of the webui. Reload the page and log in.";
  try {
    const said = await answer.json();
    const words = said.error ?? said.detail;
    if (typeof words === "string" && words) return words;
  } catch {
    // a proxy's page, not ours
  }
  return `The webui answered ${`${answer.status} ${answer.statusText}`.trim()}.`;
}

/** @param {BodyInit} content @param {string} type @returns {RequestInit} */
const posted = (content, type) => ({ method: "POST", headers: { "Content-Type": type }, body: content });

/** @param {string} path */
export const get = (path) => ask(`ohwx/${path}`, { cache: "no-store" });

/** @param {string} path relative to the page, not to ohwx/ @returns {Promise<string>} */
export const getText = (path) => ask(path, { cache: "no-store" }, PATIENCE, asText);

/**
 * @param {string} path
 * @param {unknown} [value]
 * @param {number} [patience] s
 * @param {AbortSignal} [signal] aborted where the answer is not wanted any more: the server stops working on it
 */
export const post = (path, value = {}, patience = PATIENCE, signal = undefined) =>
  ask(`ohwx/${path}`, { ...posted(JSON.stringify(value), "application/json"), signal }, patience);

/** A file to save. @param {string} path @param {unknown} value @param {number} patience s @returns {Promise<Blob>} */
export const postForFile = (path, value, patience) =>
  ask(`ohwx/${path}`, posted(JSON.stringify(value), "application/json"), patience, asBlob);

/** @param {string} path @param {File} file */
export const postFile = (path, file) => ask(`ohwx/${path}`, posted(file, file.type || "application/octet-stream"), 120);
