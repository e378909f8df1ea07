// Which axis stands where: columns, rows and groups are products of the values that are shown. Nothing here touches the
// document.

/** @typedef {"x" | "y" | "group"} Role */
/** @typedef {Record<Role, number[]>} Roles the axes of each, the slowest first */
/** @typedef {{ at: Map<number, number>, label: string }} Stop a value for each axis of a role, and how it is called */
/** @typedef {{ columns: Stop[], groups: { stop: Stop, rows: Stop[] }[] }} Arrangement */

/** @param {Pick<PageData, "axes" | "columns" | "grouped">} data @returns {Roles} */
function usualRoles({ axes, columns, grouped }) {
  const rest = axes.map((_, i) => i).filter((i) => i !== columns && !grouped.includes(i));
  return { x: [columns], y: rest, group: [...grouped] };
}

/** The role of an axis. @param {Roles} roles @param {number} axis @returns {Role} */
const roleOf = (roles, axis) => (roles.x.includes(axis) ? "x" : roles.y.includes(axis) ? "y" : "group");

/**
 * An axis put into a role, before another of it or last.
 *
 * @param {Roles} roles
 * @param {number} axis
 * @param {Role} role
 * @param {number} [before]
 * @returns {Roles}
 */
function moved(roles, axis, role, before = -1) {
  /** @param {number[]} axes */
  const without = (axes) => axes.filter((each) => each !== axis);
  const next = { x: without(roles.x), y: without(roles.y), group: without(roles.group) };
  const at = next[role].indexOf(before);
  next[role].splice(at < 0 ? next[role].length : at, 0, axis);
  return next;
}

/**
 * Every combination of the shown values of some axes, the last one varying fastest.
 *
 * @param {readonly AxisData[]} axes
 * @param {readonly number[]} which
 * @param {readonly Set<number>[]} hidden values of each axis that are not shown
 * @returns {Stop[]}
 */
function stopsOf(axes, which, hidden) {
  /** @type {Stop[]} */
  let stops = [{ at: new Map(), label: "" }];
  for (const axis of which) {
    const values = (axes[axis]?.values ?? []).map((value, i) => ({ i, label: value.label }));
    const shown = values.filter(({ i }) => !hidden[axis]?.has(i));
    stops = stops.flatMap((stop) =>
      shown.map(({ i, label }) => ({
        at: new Map([...stop.at, [axis, i]]),
        label: stop.label ? `${stop.label} · ${label}` : label,
      })),
    );
  }
  return stops;
}

/**
 * @param {readonly AxisData[]} axes
 * @param {Roles} roles
 * @param {readonly Set<number>[]} hidden
 * @returns {Arrangement}
 */
function arranged(axes, roles, hidden) {
  const rows = stopsOf(axes, roles.y, hidden);
  const groups = stopsOf(axes, roles.group, hidden).map((stop) => ({ stop, rows: [...rows] }));
  return { columns: stopsOf(axes, roles.x, hidden), groups };
}

/**
 * How many cells lie between neighbouring values of each axis; checkpoints vary slowest.
 *
 * @param {readonly AxisData[]} axes
 * @returns {number[]}
 */
function stridesOf(axes) {
  const strides = axes.map(() => 0);
  let count = 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    if (axes[i]?.kind === "checkpoint") continue;
    strides[i] = count;
    count *= axes[i]?.values.length ?? 1;
  }
  const checkpoints = axes.findIndex((axis) => axis.kind === "checkpoint");
  if (checkpoints >= 0) strides[checkpoints] = count;
  return strides;
}

/** What a stop adds to the number of its cells. @param {readonly number[]} strides @param {Stop} stop */
function addedBy(strides, stop) {
  let sum = 0;
  for (const [axis, value] of stop.at) sum += (strides[axis] ?? 0) * value;
  return sum;
}

/** The number of the cell at these values, from 1. @param {readonly AxisData[]} axes @param {readonly Stop[]} stops */
function numberAt(axes, stops) {
  const strides = stridesOf(axes);
  return stops.reduce((sum, stop) => sum + addedBy(strides, stop), 1);
}

/** The value of each axis of a cell. @param {readonly AxisData[]} axes @param {number} number @returns {number[]} */
function valuesAt(axes, number) {
  const at = axes.map(() => 0);
  let place = number - 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i];
    if (!axis || axis.kind === "checkpoint") continue;
    at[i] = place % axis.values.length;
    place = Math.floor(place / axis.values.length);
  }
  const checkpoints = axes.findIndex((axis) => axis.kind === "checkpoint");
  if (checkpoints >= 0) at[checkpoints] = place;
  return at;
}

/**
 * What long names have in common, to be said once, and what is left of each. Short beginnings stay where they are.
 *
 * @param {readonly string[]} names
 * @returns {{ common: string, rest: string[] }}
 */
function shortened(names) {
  const [first = "", ...others] = names;
  let length = others.length ? first.length : 0;
  for (const name of others) while (!name.startsWith(first.slice(0, length))) length--;
  const cut = lastBreak(first.slice(0, length));
  if (cut < 8 || names.some((name) => name.length === cut)) return { common: "", rest: [...names] };
  return { common: first.slice(0, cut), rest: names.map((name) => name.slice(cut)) };
}

/** Where the last word of a text begins. @param {string} text */
const lastBreak = (text) => Math.max(...["-", "_", " ", ".", "/"].map((mark) => text.lastIndexOf(mark) + 1));

/**
 * Prompt and negative prompt that cells share, or null where they differ or are not on the page.
 *
 * @param {Pick<PageData, "axes" | "prompts">} data
 * @param {(axis: number) => number | undefined} valueOf what is fixed of an axis
 */
function promptAt({ axes, prompts }, valueOf) {
  let place = 0;
  for (const axis of prompts.axes) {
    const value = axes[axis]?.values.length === 1 ? 0 : valueOf(axis);
    if (value === undefined) return null;
    place = place * (axes[axis]?.values.length ?? 1) + value;
  }
  return prompts.texts[place] ?? null;
}

/**
 * Stops in the order of a number, the highest first; those without one come last, and equal ones stay as they were.
 *
 * @template T
 * @param {readonly T[]} stops
 * @param {(stop: T) => number | null} valueOf
 */
function ranked(stops, valueOf) {
  const told = stops.map((stop) => ({ stop, value: valueOf(stop) ?? -Infinity }));
  return told.sort((a, b) => (a.value === b.value ? 0 : b.value - a.value)).map(({ stop }) => stop);
}

/** @param {readonly (number | null)[]} values */
function meanOf(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** The order by an axis' labels that `up:seed` or `down:seed` means, or null. @param {string} by */
function labelOrder(by) {
  const [, way, kind] = /^(up|down):(.+)$/.exec(by) ?? [];
  return kind ? { kind, sign: way === "down" ? -1 : 1 } : null;
}

/**
 * An arrangement whose groups, rows or columns stand in the natural order of an axis' labels; equal ones stay.
 *
 * @param {readonly AxisData[]} axes
 * @param {Arrangement} arrangement
 * @param {string} byRows an order by labels, else nothing changes
 * @param {string} byColumns
 * @returns {Arrangement}
 */
function labelled(axes, { columns, groups }, byRows, byColumns) {
  /** @template T @param {T[]} list @param {(each: T) => Stop} stopOf @param {string} by */
  const inOrder = (list, stopOf, by) => {
    const order = labelOrder(by);
    if (!order) return list;
    /** @param {T} each */
    const label = (each) => {
      const found = [...stopOf(each).at].find(([axis]) => axes[axis]?.kind === order.kind);
      return found ? (axes[found[0]]?.values[found[1]]?.label ?? "") : "";
    };
    return [...list].sort((a, b) => order.sign * naturally(label(a), label(b)));
  };
  /** @param {Stop[]} stops @param {string} by */
  const stops = (stops, by) => inOrder(stops, (stop) => stop, by);
  const ranks = inOrder(groups, ({ stop }) => stop, byRows);
  return {
    columns: stops(columns, byColumns),
    groups: ranks.map(({ stop, rows }) => ({ stop, rows: stops(rows, byRows) })),
  };
}

/** Below 0 where `a` comes first: numbers in names count as numbers. @param {string} a @param {string} b */
function naturally(a, b) {
  const [one, other] = [a, b].map((text) => text.split(/((?<![^\s])-?\d+(?:\.\d+)?|\d+(?:\.\d+)?)/));
  for (const [i, part] of (one ?? []).entries()) {
    const its = other?.[i];
    if (its === undefined) return 1;
    const order = i % 2 ? Number(part) - Number(its) : part.localeCompare(its);
    if (order) return order;
  }
  return a.localeCompare(b);
}
