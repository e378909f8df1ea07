// What every part of a tab is made of: nodes, fields, rows that stay. Text goes in as text only.

/** @import { Choice } from "./ohwx_types" */

/** @typedef {Node | string | null | undefined} Child nothing is made of null and undefined */

/**
 * A node; each of `props` becomes its property where it has one of that name, else its attribute.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name in node) Object.assign(node, { [name]: value });
    else node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** @type {WeakMap<Node, string>} what was written, not what is there: a localisation may have translated it */
const written = new WeakMap();

/**
 * Write a text, unless it is there: the webui looks at every change of the document.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (written.get(node) === text) return;
  written.set(node, text);
  node.textContent = text;
}

/** Show or hide, unless it is so already. @param {HTMLElement} node @param {unknown} isShown */
export function setShown(node, isShown) {
  if (node.hidden === Boolean(isShown)) node.hidden = !isShown;
}

/**
 * Rows for items, in their order. create(item) gives {node, show(item)} once an item; so focus and scroll stay.
 *
 * @template T
 * @param {Element} parent
 * @param {(item: T) => unknown} key
 * @param {(item: T) => { node: HTMLElement, show: (item: T) => void }} create
 * @returns {(items: readonly T[]) => void}
 */
export function keyed(parent, key, create) {
  /** @type {Map<unknown, { node: HTMLElement, show: (item: T) => void }>} */
  let rows = new Map();
  return (items) => {
    const names = new Set(items.map(key));
    for (const [name, row] of rows) if (!names.has(name)) row.node.remove();
    const next = new Map();
    let at = parent.firstChild;
    for (const item of items) {
      const row = rows.get(key(item)) ?? create(item);
      row.show(item);
      next.set(key(item), row);
      if (row.node === at) at = at.nextSibling;
      else parent.insertBefore(row.node, at);
    }
    rows = next;
  };
}

/**
 * @param {string} words
 * @param {(event: MouseEvent) => unknown} onclick
 * @param {Record<string, unknown>} [props]
 */
export const button = (words, onclick, props = {}) =>
  make("button", { type: "button", className: "ohwx-button", onclick, ...props }, words);

/** An input under its label. @param {string} words @param {HTMLElement} input @param {string} [className] */
export const field = (words, input, className = "") =>
  make("label", { className: `ohwx-field ${className}` }, make("span", {}, words), input);

/** A checkbox before its label. @param {string} words @param {HTMLElement} input @param {string} [className] */
export const check = (words, input, className = "") =>
  make("label", { className: `ohwx-check ${className}` }, input, make("span", {}, words));

/** Fields side by side. @param {...Child} children */
export const fields = (...children) => make("div", { className: "ohwx-fields" }, ...children);

/** A part of a form under its heading. @param {string} words @param {...Child} children */
export const part = (words, ...children) =>
  make("fieldset", { className: "ohwx-part" }, make("legend", {}, words), ...children);

/** @param {readonly string[]} texts */
export const items = (texts) => texts.map((text) => make("li", {}, text));

/** @param {string} id @param {Record<string, unknown>} [props] */
export const textInput = (id, props = {}) =>
  make("input", { id, type: "text", className: "ohwx-input", autocomplete: "off", spellcheck: false, ...props });

/** @param {string} id @param {Record<string, unknown>} [props] */
export const textArea = (id, props = {}) =>
  make("textarea", { id, className: "ohwx-input", rows: 2, spellcheck: false, ...props });

/** @param {string} id @param {Record<string, unknown>} [props] */
export const number = (id, props = {}) =>
  make("input", { id, type: "number", className: "ohwx-input", step: "any", ...props });

/** A line for what went wrong, hidden while nothing did: `say` it, or say "". */
export function errorLine() {
  const node = make("p", { className: "ohwx-error", role: "alert", hidden: true });
  /** @param {string} text */
  const say = (text) => {
    setText(node, text);
    setShown(node, text);
  };
  return { node, say };
}

/**
 * A select that keeps its value even where the names offered lack it.
 *
 * offer(names, value, titles): titles tells what stands for a name, if not the name; none what stands for "".
 *
 * @param {string} id
 * @param {Record<string, unknown>} [props]
 * @param {string} [none]
 * @returns {Choice}
 */
export function choice(id, props = {}, none = "–") {
  const select = make("select", { id, className: "ohwx-input", ...props });
  let shown = "";
  /** @type {Choice["offer"]} */
  const offer = (names, value = select.value, titles = {}) => {
    const wanted = value ?? "";
    const all = names.includes(wanted) ? names : [wanted, ...names];
    if (shown !== JSON.stringify(all)) {
      shown = JSON.stringify(all);
      select.replaceChildren(...all.map((name) => make("option", { value: name }, titles[name] || name || none)));
    }
    select.value = wanted;
  };
  return Object.assign(select, { offer });
}

/** @param {HTMLElement} input @returns {input is Choice} */
const isChoice = (input) => "offer" in input;

/**
 * The input's value and object[name] are one from here on. Numbers stay numbers; an empty number is null.
 *
 * @template {HTMLInputElement | HTMLTextAreaElement | Choice} T
 * @param {T} input
 * @param {Record<string, any>} object
 * @param {string} name
 * @param {() => void} changed
 * @returns {T}
 */
export function bind(input, object, name, changed) {
  const box = input instanceof HTMLInputElement && input.type === "checkbox" ? input : null;
  const value = object[name] ?? "";
  if (box) box.checked = Boolean(value);
  else if (isChoice(input))
    input.offer(
      [...input.options].map((option) => option.value),
      value,
    );
  else input.value = value;
  input.addEventListener(box || isChoice(input) ? "change" : "input", () => {
    object[name] = box ? box.checked : valueOf(input);
    changed();
  });
  return input;
}

/** @param {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} input */
function valueOf(input) {
  if (input.type !== "number") return input.value;
  return input.value === "" ? null : Number(input.value);
}
