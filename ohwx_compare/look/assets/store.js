// What is known of the cells: it comes in parts, when something of a part is near the window or asked for.

/** @typedef {"cells" | "texts"} PartKind */

const MOST_PARTS = 25; // of one request

/** @type {PageData} */
const data = JSON.parse($("data").textContent ?? "");
const isServed = $("data").dataset.host === "served"; // by a program that also takes what is decided
const total = data.axes.reduce((count, axis) => count * axis.values.length, 1);

/** @type {never[]} */
const NONE = []; // shared by all that is not read yet
/** @type {Record<string, number>} */
const UNSCORED = {};

/** @type {Cell[]} */
const cells = Array.from({ length: total }, (_, i) => unknownCell(i + 1)); // by number

/** @param {number} number @returns {Cell} */
function unknownCell(number) {
  return {
    number, tone: "idle", title: "", words: "Not read yet", why: "", caption: "", width: 1, height: 1, image: null,
    thumb: null, before: null, beforeThumb: null, faces: NONE, seconds: null, notes: NONE, scores: UNSCORED,
    isLoaded: false, infotext: undefined, row: -1, column: -1, hidden: true, flipped: false, chosen: false, nodes: null,
  };
}

/** @param {number} number */
const cellOf = (number) => /** @type {Cell} */ (cells[number - 1]);

/** The values of a cell. @param {Cell} cell */
const valuesOf = (cell) => valuesAt(data.axes, cell.number);

class Store {
  constructor() {
    /** @type {Map<string, { promise: Promise<void>, done: () => void, fail: (error: Error) => void }>} */
    this.asked = new Map(); // parts by kind and number
    /** @type {Map<string, number>} */
    this.stamps = new Map(); // of the parts that were asked for
    /** @type {Record<PartKind, number[]>} */
    this.queued = { cells: [], texts: [] }; // for the next request
    /** @type {((changed: Cell[]) => void)[]} */
    this.listeners = [];
  }

  /** Once it is there. @param {PartKind} kind @param {number} number of the cell */
  want(kind, number) {
    return this.part(kind, Math.floor((number - 1) / data.chunk));
  }

  /** @param {PartKind} kind @param {number} number @returns {Promise<void>} */
  part(kind, number) {
    const name = `${kind}-${number}`;
    const known = this.asked.get(name);
    if (known) return known.promise;
    let [done, fail] = [() => {}, (/** @type {Error} */ _) => {}];
    const promise = /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => ([done, fail] = [resolve, reject]))
    );
    promise.catch(() => this.asked.delete(name)); // the next one who needs it asks again
    this.asked.set(name, { promise, done, fail });
    this.stamps.set(name, data.stamps[number] ?? 0);
    if (!isServed) this.run(name);
    else if (this.queued[kind].push(number) === 1) queueMicrotask(() => this.fetchQueued(kind));
    return promise;
  }

  /** What is asked for at once comes at once: a request costs more than what it brings. @param {PartKind} kind */
  fetchQueued(kind) {
    const numbers = this.queued[kind].splice(0);
    while (numbers.length) this.fetch(kind, numbers.splice(0, MOST_PARTS));
  }

  /** @param {PartKind} kind @param {number[]} numbers */
  async fetch(kind, numbers) {
    try {
      const parts = await getJson(`page/${kind}-${numbers.join(".")}.json`);
      for (const [i, number] of numbers.entries()) this.take(kind, number, parts[i]);
    } catch (error) {
      const said = error instanceof Error ? error : new Error(String(error));
      for (const number of numbers) this.asked.get(`${kind}-${number}`)?.fail(said);
    }
  }

  /** From disk there is one way: a script that calls `received`. @param {string} name */
  run(name) {
    const script = make("script", { src: `page/${name}.js` });
    script.addEventListener("load", () => script.remove());
    script.addEventListener("error", () => {
      script.remove();
      this.asked.get(name)?.fail(new Error(`page/${name}.js is missing`));
    });
    document.head.append(script);
  }

  /** @param {PartKind} kind @param {number} number @param {readonly unknown[]} part */
  take(kind, number, part) {
    const changed = this.cellsOf(number).slice(0, part.length);
    for (const [i, cell] of changed.entries()) {
      if (kind === "texts") cell.infotext = String(part[i]);
      else Object.assign(cell, part[i], { isLoaded: true });
    }
    this.asked.get(`${kind}-${number}`)?.done();
    if (kind === "cells") for (const listener of this.listeners) listener(changed);
  }

  /** @param {number} number of a part */
  cellsOf(number) {
    return cells.slice(number * data.chunk, (number + 1) * data.chunk);
  }

  /** Everything of all cells, for what asks about all of them. */
  async all() {
    await Promise.all(data.stamps.map((_, number) => this.part("cells", number)));
  }

  /** Parts that changed since they were read are read again. */
  renew() {
    for (const [name, stamp] of [...this.stamps]) {
      const [kind, number] = name.split("-");
      if (stamp === (data.stamps[Number(number)] ?? 0)) continue;
      this.asked.delete(name);
      if (kind === "cells") this.part("cells", Number(number)).catch(() => {});
      else for (const cell of this.cellsOf(Number(number))) cell.infotext = undefined;
    }
  }
}

const store = new Store();

/**
 * Called by the scripts that hold the parts.
 *
 * @param {PartKind} kind
 * @param {number} number
 * @param {string} plan
 * @param {readonly unknown[]} part
 */
function received(kind, number, plan, part) {
  if (plan === data.plan) store.take(kind, number, part);
  else store.asked.get(`${kind}-${number}`)?.fail(new Error("The run has changed. Load the page again."));
}

/** @param {string} path relative to the page @returns {Promise<any>} */
async function getJson(path) {
  return answered(await fetch(path, { headers: { accept: "application/json" } }));
}

/** @param {string} path @param {unknown} body @returns {Promise<any>} */
async function postJson(path, body) {
  const headers = { "content-type": "application/json" };
  return answered(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** @param {Response} answer */
async function answered(answer) {
  const said = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
  if (!answer.ok) throw new Error(said.error ?? `The server answered ${answer.status}.`);
  return said;
}
