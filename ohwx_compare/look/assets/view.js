// What of the run is seen now: arrangement, order, filter and pass, kept in the address; and what is new in it.

const filterInput = /** @type {HTMLInputElement} */ ($("filter"));
const sizeInput = /** @type {HTMLInputElement} */ ($("size"));
const shortcuts = /** @type {HTMLDialogElement} */ ($("keys"));
const state = { view: viewIn(location.hash.slice(1), data), at: /** @type {Cell | null} */ (null), job: 0 };

/** Write the view into the address. */
function keepView() {
  const themes = location.hash.slice(1).split("&").filter((part) => part === "dark" || part === "light");
  const hash = [...themes, hashOf(state.view, data)].filter(Boolean).join("&");
  try {
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  } catch {
    location.hash = hash; // a browser that does not replace addresses of the disk
  }
}

/** Another arrangement, order or choice of values. */
async function arrange() {
  const job = ++state.job;
  const { rows, columns } = state.view;
  grid.arrange(planned());
  if ([rows, columns].some((by) => by && !labelOrder(by))) {
    busy("Sorting…");
    await store.all().catch(complain);
    if (job !== state.job) return;
    grid.arrange(sorted(grid.arrangement, rows, columns));
  }
  for (const cell of cells) if (cell.hidden && cell === state.at) state.at = null;
  await filter();
  keepView();
}

/** What can be arranged before anything is read of the cells. */
function planned() {
  const { roles, hidden, rows, columns } = state.view;
  return labelled(data.axes, arranged(data.axes, roles, hidden), rows, columns);
}

/**
 * Rows within their groups, and columns, by the mean of what is asked of their cells.
 *
 * @param {Arrangement} arrangement
 * @param {string} byRows
 * @param {string} byColumns
 * @returns {Arrangement}
 */
function sorted({ columns, groups }, byRows, byColumns) {
  /** @param {Stop[]} stops @param {string} by */
  const value = (stops, by) => measured(cellOf(numberAt(data.axes, stops)), by);
  const [isRanked, isRankedAcross] = [byRows, byColumns].map((by) => by && !labelOrder(by));
  const ranks = groups.map(({ stop, rows }) => ({
    stop,
    rows: isRanked
      ? ranked(rows, (row) => meanOf(columns.map((column) => value([stop, row, column], byRows))))
      : rows,
  }));
  const all = groups.flatMap(({ stop, rows }) => rows.map((row) => [stop, row]));
  const across = isRankedAcross
    ? ranked(columns, (column) => meanOf(all.map((stops) => value([...stops, column], byColumns))))
    : columns;
  return { columns: across, groups: ranks };
}

/** A number of a cell to sort by. @param {Cell} cell @param {string} by @returns {number | null} */
function measured(cell, by) {
  if (by === "star") return markOf(cell).star;
  if (by === "confidence") return cell.faces.length ? Math.max(...cell.faces.map((face) => face.confidence)) : null;
  if (by === "seconds") return cell.seconds === null ? null : -cell.seconds;
  return cell.scores[by] ?? null;
}

/** Rows and columns without a hit are left out; other cells are dimmed. */
async function filter() {
  const job = ++state.job;
  const phrases = phrasesOf(state.view.filter);
  const seen = grid.places.flat();
  for (const cell of seen) cell.hidden = false;
  if (!phrases.length) {
    grid.show(null);
    settled(seen.length, seen.length, false);
    return;
  }
  busy("Searching…");
  await store.all().catch(complain);
  if (job !== state.job) return;
  const hays = seen.map((cell) => ({ cell, row: cell.row, column: cell.column, hay: hayOf(cell) }));
  const found = filtered(hays, phrases);
  for (const hay of hays) hay.cell.hidden = !found.hits.has(hay);
  grid.show(found);
  settled(found.hits.size, seen.length, true);
}

/** @param {Cell} cell */
function hayOf(cell) {
  const values = valuesOf(cell);
  const texts = promptAt(data, (axis) => values[axis]) ?? [];
  const names = data.axes.map((axis, i) => axis.values[values[i] ?? 0]);
  const mark = markOf(cell);
  const kept = [...mark.tags, mark.note, mark.star > 0 ? "starred" : "", mark.star < 0 ? "rejected" : ""];
  const labels = names.flatMap((value) => [value?.label ?? "", value?.hash ?? ""]);
  return searched(cell, [...texts, ...labels, `seed ${data.seed}`, ...kept]);
}

/** @param {number} hits @param {number} all @param {boolean} isFiltered */
function settled(hits, all, isFiltered) {
  $("count").textContent = countWords(hits, all, isFiltered);
  $("nothing").hidden = hits > 0;
  const first = grid.places.flat().find((cell) => !cell.hidden);
  if (first && (!state.at || state.at.hidden)) visit(first);
}

/** @param {string} words */
function busy(words) {
  $("count").textContent = words;
}

/** @param {unknown} error */
function complain(error) {
  say(error instanceof Error ? error.message : String(error));
}

/** A sentence at the foot of the page, for a while. @param {string} words @param {...Node} more */
function say(words, ...more) {
  const toast = $("toast");
  toast.replaceChildren(make("span", { textContent: words }), ...more);
  toast.hidden = !words;
  clearTimeout(Number(toast.dataset.timer));
  toast.dataset.timer = String(setTimeout(() => Object.assign(toast, { hidden: true }), 6000));
}

/** @param {Pass} pass */
function setPass(pass) {
  state.view.pass = pass;
  for (const button of buttonsIn("passes")) button.setAttribute("aria-pressed", String(button.dataset.pass === pass));
  for (const cell of cells) {
    cell.flipped = false;
    if (cell.nodes) paint(cell);
  }
  keepView();
}

function buildTop() {
  document.title = `${data.folder} · checkpoint comparison`;
  $("folder").textContent = data.folder;
  $("summary").textContent = data.summary;
  $("facts").replaceChildren(...data.facts.map((fact) => make("li", { textContent: fact })));
  const target = embedded ? "_blank" : "";
  const links = data.sheets.map(({ name, href }) => {
    return make("a", { href, textContent: name, target, rel: "noopener" });
  });
  $("sheets").replaceChildren(...links);
  $("vote").hidden = !isServed;
  $("passes").hidden = !data.hasBefore;
  const { words, cells: numbers } = data.troubles;
  const box = /** @type {HTMLDetailsElement} */ ($("troubles"));
  box.hidden = !numbers.length;
  box.querySelector("summary")?.replaceChildren(words);
  if (box.open) tellTroubles();
}

/** Each cell that went wrong, as soon as somebody asks. */
async function tellTroubles() {
  const { cells: numbers, more } = data.troubles;
  await Promise.all(numbers.map((number) => store.want("cells", number))).catch(complain);
  const items = numbers.map((number) => {
    const cell = cellOf(number);
    const link = make("button", { type: "button", className: "link", textContent: labelOf(cell) });
    link.addEventListener("click", () => viewer.open(cell));
    return make("li", {}, link, `: ${cell.words}`);
  });
  if (more) items.push(make("li", { textContent: `and ${more} more` }));
  $("troubles").querySelector("ul")?.replaceChildren(...items);
}

/** A newer page of the run goes into the nodes that are there, so the reader's place stays. @param {PageData} next */
function update(next) {
  if (next.plan !== data.plan) {
    location.reload(); // another experiment in the same folder
    return;
  }
  Object.assign(data, next, { marks: data.marks }); // what was decided here may be on its way
  store.renew();
  buildTop();
  for (const node of grid.headNodes.values()) node.remove();
  grid.headNodes.clear();
  grid.wish();
}

/** Ask for what is new, while somebody looks and something may come. */
function poll() {
  if (!isServed || embedded) return; // the tab tells
  setInterval(async () => {
    if (data.isDone || document.hidden) return;
    await getJson("page/head.json").then(update, () => {}); // the next time says it again
  }, 2500);
}

/** @param {number} size px, 0 as fits */
function setSize(size) {
  state.view.size = size;
  grid.size.thumb = size || usualSize();
  sizeInput.value = String(grid.size.thumb);
  document.documentElement.style.setProperty("--thumb", `${grid.size.thumb}px`);
}

function usualSize() {
  const root = document.documentElement;
  const isNarrow = innerWidth <= 640;
  const side = parseFloat(getComputedStyle(root).fontSize) * (isNarrow ? 7.4 : 13.5);
  const share = (root.clientWidth - side) / Math.max(grid.arrangement.columns.length, 1) - GAP;
  return fittingSize(share, data.widest, isNarrow);
}
