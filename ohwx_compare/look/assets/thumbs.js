// The small pictures of the grid. Where the page is served they come many at a time: a request costs more than one.

const MOST_THUMBS = 25; // of one request: what is in the window does not wait for what is near it

/** @typedef {{ number: number, isBefore: boolean, href: string }} Wish what an image waits for */

/** How a picture is asked for. @param {Wish} wish */
const thumbName = ({ number, isBefore }) => `${number}${isBefore ? "b" : "a"}`;

class Thumbs {
  constructor() {
    /** @type {Map<HTMLImageElement, Wish>} */
    this.wanted = new Map();
    /** @type {WeakMap<HTMLImageElement, string>} */
    this.shown = new WeakMap(); // the address of what each shows, or waits for
    this.isAsking = false;
  }

  /** @param {HTMLImageElement} img @param {Cell} cell @param {boolean} isBefore the face pass */
  show(img, cell, isBefore) {
    const small = isBefore ? cell.beforeThumb : cell.thumb;
    const href = small || (isBefore ? cell.before : cell.image);
    img.hidden = !href;
    if (!href || this.shown.get(img) === href) return;
    this.shown.set(img, href);
    this.wanted.delete(img);
    if (!small || !isServed) {
      img.src = href;
      return;
    }
    this.wanted.set(img, { number: cell.number, isBefore, href });
    if (!this.isAsking) this.ask();
  }

  /** The address of what an image shows. @param {HTMLImageElement} img */
  hrefOf(img) {
    return this.shown.get(img) ?? "";
  }

  /** One request at a time: what is wished meanwhile is the next one's, but for what has left the document. */
  async ask() {
    this.isAsking = true;
    await Promise.resolve(); // all that is drawn now
    for (let wishes = this.next(); wishes.length; wishes = this.next()) {
      const names = wishes.map(([, wish]) => thumbName(wish));
      const found = await getPictures(`page/thumbs-${names.join(".")}`).catch(() => []);
      for (const [i, [img, { href }]] of wishes.entries()) {
        if (this.shown.get(img) === href) img.src = found[i] || href;
      }
      await new Promise(requestAnimationFrame);
    }
    this.isAsking = false;
  }

  /** What is seen comes before what is near. @returns {[HTMLImageElement, Wish][]} */
  next() {
    for (const img of this.wanted.keys()) if (!img.isConnected) this.wanted.delete(img);
    const all = [...this.wanted];
    const wishes = [...new Set([...all.filter(([img]) => isSeen(img)), ...all])].slice(0, MOST_THUMBS);
    for (const [img] of wishes) this.wanted.delete(img);
    return wishes;
  }
}

/**
 * As `_thumbs` in look/page_routes.py answers.
 *
 * @param {string} path relative to the page
 * @returns {Promise<string[]>} data URLs, "" for what is not there
 */
async function getPictures(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  let at = bytes.indexOf(10);
  /** @type {[kind: string, size: number][]} */
  const parts = JSON.parse(new TextDecoder().decode(bytes.subarray(0, at++)));
  return parts.map(([kind, size]) => (size ? dataUrl(kind, bytes.subarray(at, (at += size))) : ""));
}

/** @param {string} kind a media type @param {Uint8Array} bytes */
function dataUrl(kind, bytes) {
  const native = /** @type {{ toBase64?: () => string }} */ (bytes); // since Chrome 140, Firefox 133, Safari 18.2
  if (native.toBase64) return `data:${kind};base64,${native.toBase64()}`;
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:${kind};base64,${btoa(text)}`;
}

/** Within the window. @param {Element} node */
function isSeen(node) {
  const { top, bottom, left, right } = node.getBoundingClientRect();
  return bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
}

const thumbs = new Thumbs();
