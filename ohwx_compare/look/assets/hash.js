// The state of the view as it stands in the address behind "#", so that a link shows what its sender saw.

/**
 * @typedef {object} ViewState
 * @property {Roles} roles
 * @property {Set<number>[]} hidden values of each axis
 * @property {string} rows what the rows are sorted by, "" as planned
 * @property {string} columns
 * @property {Pass} pass
 * @property {string} filter
 * @property {number} size px, 0 as fits
 */

/** @typedef {Pick<PageData, "axes" | "columns" | "grouped" | "hidden">} Axial */

const ROLES = /** @type {const} */ (["x", "y", "group"]);

/** Only what is not as usual. @param {ViewState} view @param {Axial} data */
function hashOf(view, data) {
  const usual = usualRoles(data);
  const said = new URLSearchParams();
  /** @param {number} axis */
  const name = (axis) => data.axes[axis]?.kind ?? "";
  if (JSON.stringify(view.roles) !== JSON.stringify(usual)) {
    for (const role of ROLES) said.set(role, view.roles[role].map(name).join(","));
  }
  for (const [axis, values] of view.hidden.entries()) {
    const listed = [...values].sort((a, b) => a - b).join(".");
    if (listed !== (data.hidden?.[axis] ?? []).join(".")) said.append("hide", `${name(axis)}:${listed}`);
  }
  if (view.rows) said.set("rows", view.rows);
  if (view.columns) said.set("columns", view.columns);
  if (view.pass === "before") said.set("pass", "before");
  if (view.filter) said.set("filter", view.filter);
  if (view.size) said.set("size", String(view.size));
  return said.toString();
}

/**
 * What a hash says, as far as it fits this run; the rest as usual.
 *
 * @param {string} hash without "#"
 * @param {Axial} data
 * @returns {ViewState}
 */
function viewIn(hash, data) {
  const said = new URLSearchParams(hash);
  const size = Number(said.get("size"));
  return {
    roles: rolesIn(said, data),
    hidden: hiddenIn(said, data.axes, data.hidden),
    rows: said.get("rows") ?? "",
    columns: said.get("columns") ?? "",
    pass: said.get("pass") === "before" ? "before" : "after",
    filter: said.get("filter") ?? "",
    size: size >= 72 && size <= 640 ? Math.round(size) : 0,
  };
}

/** @param {URLSearchParams} said @param {Axial} data @returns {Roles} */
function rolesIn(said, data) {
  if (!said.has("x")) return usualRoles(data);
  const left = new Set(data.axes.keys());
  /** @param {Role} role */
  const named = (role) => {
    const names = (said.get(role) ?? "").split(",");
    const found = names.map((name) => data.axes.findIndex((axis) => axis.kind === name));
    return found.filter((axis) => left.delete(axis));
  };
  const roles = { x: named("x"), y: named("y"), group: named("group") };
  roles.y.push(...left); // whatever a link leaves unsaid is seen
  return roles;
}

/** @param {URLSearchParams} said @param {readonly AxisData[]} axes @param {number[][]} [usual] not shown at first */
function hiddenIn(said, axes, usual) {
  const hidden = axes.map((_, i) => new Set(usual?.[i]));
  for (const each of said.getAll("hide")) {
    const [kind = "", values = ""] = each.split(":");
    const at = axes.findIndex((axis) => axis.kind === kind);
    const count = axes[at]?.values.length ?? 0;
    const listed = values ? values.split(".").map(Number) : [];
    const chosen = new Set(listed.filter((value) => value >= 0 && value < count));
    if (at >= 0 && chosen.size < count) hidden[at] = chosen; // something of each axis is seen
  }
  return hidden;
}
