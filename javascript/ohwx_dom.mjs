// What every part of the tab is made of: nodes, fields, rows that stay, and figures in words. Text goes in as text only.

export function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// The webui looks at every change of the document, so nothing is written that is there already.
export function setText(node, text) {
  if (node.ohwxText !== text) node.textContent = node.ohwxText = text; // not read back: a localisation may have translated it
}

export function setShown(node, shown) {
  if (node.hidden === Boolean(shown)) node.hidden = !shown;
}

// Rows for items, in their order. create(item) gives {node, show(item)} once an item; so focus and scroll stay.
export function keyed(parent, key, create) {
  let rows = new Map();
  return (items) => {
    const names = new Set(items.map(key));
    for (const [name, row] of rows) if (!names.has(name)) { row.node.remove(); rows.delete(name); }
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

export const button = (words, onclick, props = {}) => make("button", { type: "button", className: "ohwx-button", onclick, ...props }, words);

export const field = (words, input, className = "") => make("label", { className: `ohwx-field ${className}` }, make("span", {}, words), input);

export const check = (words, input, className = "") => make("label", { className: `ohwx-check ${className}` }, input, make("span", {}, words));

export const textInput = (id, props = {}) => make("input", { id, type: "text", className: "ohwx-input", autocomplete: "off", spellcheck: false, ...props });

export const textArea = (id, props = {}) => make("textarea", { id, className: "ohwx-input", rows: 2, spellcheck: false, ...props });

// A select that keeps its value even where it is not among the names offered. titles: what stands for a name, if not it.
export function choice(id, props = {}) {
  const select = make("select", { id, className: "ohwx-input", ...props });
  let shown = "";
  const names = (list, value) => (list.includes(value) ? list : [value, ...list]);
  select.offer = (list, value = select.value, titles = {}) => {
    const all = names(list, value ?? "");
    if (shown !== JSON.stringify(all)) {
      shown = JSON.stringify(all);
      select.replaceChildren(...all.map((name) => make("option", { value: name }, titles[name] || name || select.dataset.none || "–")));
    }
    select.value = value ?? "";
  };
  return select;
}

// The input's value and object[name] are one from here on. Numbers stay numbers; an empty number is null.
export function bind(input, object, name, changed) {
  const isNumber = input.type === "number";
  const value = object[name] ?? "";
  if (input.type === "checkbox") input.checked = Boolean(value);
  else if (input.offer) input.offer([...input.options].map((option) => option.value), value);
  else input.value = value;
  input.addEventListener(input.offer || input.type === "checkbox" ? "change" : "input", () => {
    if (input.type === "checkbox") object[name] = input.checked;
    else if (isNumber) object[name] = input.value === "" ? null : Number(input.value);
    else object[name] = input.value;
    changed();
  });
  return input;
}

export const number = (id, props = {}) => make("input", { id, type: "number", className: "ohwx-input", step: "any", ...props });

export function seconds(value) {
  if (value < 90) return `${Math.max(Math.round(value), 1)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  const minutes = Math.round(value / 60);
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

export function bytes(value) {
  const [unit, size] = value >= 1e9 ? ["GB", 1e9] : value >= 1e6 ? ["MB", 1e6] : ["KB", 1e3];
  return `${(value / size).toFixed(value / size < 10 && unit === "GB" ? 1 : 0)} ${unit}`;
}

export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
