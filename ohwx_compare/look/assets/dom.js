// Nodes in short. All text goes in as text, never as markup.

/** @param {string} id */
function $(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`The page has no #${id}.`);
  return node;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function make(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

/** @param {Element} node @param {Record<string, string | number>} values */
function told(node, values) {
  for (const [name, value] of Object.entries(values)) node.setAttribute(name, String(value));
  return node;
}

/** A name that may break behind its separators. @param {string} text */
function breakable(text) {
  return text.split(/(?<=[_\-/.])/).flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
}

/** @param {string} id @returns {NodeListOf<HTMLButtonElement>} */
const buttonsIn = (id) => $(id).querySelectorAll("button");

/** Press: change over; let go after a while: change back. A short press stays. @param {() => void} change */
function holdable(change) {
  let since = 0;
  return {
    down() {
      if (since) return;
      since = performance.now();
      change();
    },
    up() {
      if (since && performance.now() - since > 350) change();
      since = 0;
    },
  };
}

const embedded = parent !== window && location.protocol.startsWith("http"); // in the webui's tab

/** To the webui's tab around this page. @param {Record<string, unknown>} message */
function tell(message) {
  if (embedded) parent.postMessage(message, location.origin);
}
