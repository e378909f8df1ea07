// The panel of the axes: each is dragged, or sent by a select, to columns, rows or groups; its values are shown or not.

const PLACES = /** @type {const} */ ([
  ["x", "Columns"],
  ["y", "Rows"],
  ["group", "Groups"],
]);

class AxesPanel {
  constructor() {
    this.panel = $("axes");
    this.dragged = -1;
  }

  build() {
    const boxes = PLACES.map(([role, title]) => this.box(role, title));
    const orders = make("div", { className: "orders" }, this.order("rows"), this.order("columns"));
    const reset = make("button", { type: "button", textContent: "As at first" });
    reset.addEventListener("click", () => {
      const { pass, size, filter: words } = state.view;
      state.view = { ...viewIn("", data), pass, size, filter: words };
      this.changed();
    });
    const swap = make("button", { type: "button", textContent: "Swap columns and rows" });
    swap.addEventListener("click", () => this.swap());
    orders.append(swap, reset);
    this.panel.replaceChildren(make("div", { className: "boxes" }, ...boxes), orders);
  }

  /** @param {Role} role @param {string} title */
  box(role, title) {
    const list = make("div", { className: "chips" }, ...state.view.roles[role].map((axis) => this.chip(axis)));
    const box = make("div", { className: "role" }, make("h2", { textContent: title }), list);
    box.dataset.role = role;
    box.addEventListener("dragover", (event) => {
      if (this.dragged < 0) return;
      event.preventDefault();
      box.classList.add("over");
    });
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.target instanceof Element) this.drop(this.dragged, event.target);
    });
    return box;
  }

  /** @param {number} axis */
  chip(axis) {
    const { title, values } = /** @type {AxisData} */ (data.axes[axis]);
    const role = roleOf(state.view.roles, axis);
    const options = PLACES.map(([name, words]) => make("option", { value: name, textContent: words }));
    const select = make("select", { value: role }, ...options);
    select.value = role;
    told(select, { "aria-label": `Where ${title} stands` });
    select.addEventListener("change", () => this.move(axis, /** @type {Role} */ (select.value)));
    const chip = make("div", { className: "axis", draggable: true }, make("b", { textContent: title }), select);
    chip.dataset.axis = String(axis);
    chip.append(this.values(axis, values));
    chip.addEventListener("dragstart", (event) => {
      this.dragged = axis;
      event.dataTransfer?.setData("text/plain", title);
    });
    chip.addEventListener("dragend", () => this.build());
    this.followFinger(chip, axis);
    return chip;
  }

  /**
   * A finger drags too: browsers' own dragging is the mouse's on most.
   *
   * @param {HTMLElement} chip
   * @param {number} axis
   */
  followFinger(chip, axis) {
    let isHeld = false;
    chip.addEventListener("pointerdown", (event) => {
      isHeld = event.pointerType !== "mouse" && !(event.target instanceof Element && event.target.closest("details"));
    });
    chip.addEventListener("pointercancel", () => {
      isHeld = false;
    });
    chip.addEventListener("pointermove", (event) => {
      const under = isHeld ? document.elementFromPoint(event.clientX, event.clientY)?.closest(".role") : null;
      for (const box of this.panel.querySelectorAll(".role")) box.classList.toggle("over", box === under);
    });
    chip.addEventListener("pointerup", (event) => {
      const under = document.elementFromPoint(event.clientX, event.clientY);
      if (isHeld && under && !chip.contains(under)) this.drop(axis, under);
      isHeld = false;
    });
  }

  /** Before the axis that it was let go on, else last of its box. @param {number} axis @param {Element} on */
  drop(axis, on) {
    const chip = /** @type {HTMLElement | null} */ (on.closest(".axis"));
    const box = /** @type {HTMLElement | null} */ (on.closest(".role"));
    const role = PLACES.find(([name]) => name === box?.dataset.role)?.[0];
    if (role) this.move(axis, role, chip ? Number(chip.dataset.axis) : -1);
  }

  /** Which of its values are shown. @param {number} axis @param {AxisValue[]} values */
  values(axis, values) {
    const hidden = /** @type {Set<number>} */ (state.view.hidden[axis]);
    const count = hidden.size ? `${values.length - hidden.size} of ${values.length}` : `${values.length}`;
    const box = make("details", {}, make("summary", { textContent: `${count} shown` }));
    box.addEventListener("toggle", () => {
      if (box.open && box.children.length === 1) box.append(this.boxes(axis, values, hidden));
    });
    return box;
  }

  /** @param {number} axis @param {AxisValue[]} values @param {Set<number>} hidden */
  boxes(axis, values, hidden) {
    const list = make("div", { className: "values" });
    for (const [i, { label }] of values.entries()) {
      const input = make("input", { type: "checkbox", checked: !hidden.has(i) });
      input.addEventListener("change", () => {
        if (input.checked) hidden.delete(i);
        else if (hidden.size + 1 < values.length) hidden.add(i);
        else input.checked = true; // something of each axis is seen
        state.view.hidden[axis] = hidden;
        arrange();
      });
      list.append(make("label", {}, input, make("span", { textContent: label })));
    }
    return list;
  }

  /**
   * What they can be sorted by.
   *
   * @param {"rows" | "columns"} what
   * @returns {[value: string, words: string][]}
   */
  orders(what) {
    const { x, y, group } = state.view.roles;
    const axes = (what === "columns" ? x : [...group, ...y]).flatMap((i) => data.axes[i] ?? []);
    const labels = axes.filter(({ values }) => values.length > 1).flatMap(({ kind, title }) => [
      /** @type {[string, string]} */ ([`up:${kind}`, `${title}, ascending`]),
      /** @type {[string, string]} */ ([`down:${kind}`, `${title}, descending`]),
    ]);
    const measures = [...new Set(cells.flatMap((cell) => Object.keys(cell.scores)))];
    return [
      ["", "as planned"],
      ...labels,
      ["star", "stars"],
      ["confidence", "confidence of the face"],
      ...measures.map((name) => /** @type {[string, string]} */ ([name, name])),
      ["seconds", "time, the quickest first"],
    ];
  }

  /** @param {"rows" | "columns"} what */
  order(what) {
    const select = make("select");
    select.append(...this.orders(what).map(([value, textContent]) => make("option", { value, textContent })));
    select.value = state.view[what];
    select.addEventListener("change", () => {
      state.view[what] = select.value;
      arrange();
    });
    return make("label", {}, `${what === "rows" ? "Rows" : "Columns"} by `, select);
  }

  /** The next order, by a key. @param {"rows" | "columns"} what */
  nextOrder(what) {
    const orders = this.orders(what);
    const at = orders.findIndex(([value]) => value === state.view[what]);
    const [value, words] = orders[(at + 1) % orders.length] ?? ["", ""];
    state.view[what] = value;
    this.changed();
    say(`${what === "rows" ? "Rows" : "Columns"} by ${words}`.replace("by as", "as"));
  }

  /** Columns become rows and rows columns. */
  swap() {
    const { x, y, group } = state.view.roles;
    const { rows, columns } = state.view;
    Object.assign(state.view, { roles: { x: y, y: x, group }, rows: columns, columns: rows });
    this.changed();
  }

  /** @param {number} axis @param {Role} role @param {number} [before] */
  move(axis, role, before) {
    if (axis < 0 || axis === before) return;
    state.view.roles = moved(state.view.roles, axis, role, before);
    this.dragged = -1;
    this.changed();
    const select = this.panel.querySelector(`[data-axis="${axis}"] select`);
    if (select instanceof HTMLElement) select.focus();
  }

  changed() {
    arrange();
    if (!this.panel.hidden) this.build();
  }

  /** Show or hide it. */
  toggle() {
    this.panel.hidden = !this.panel.hidden;
    $("arrange").setAttribute("aria-expanded", String(!this.panel.hidden));
    if (!this.panel.hidden) this.build();
    measure();
  }
}

const axesPanel = new AxesPanel();
