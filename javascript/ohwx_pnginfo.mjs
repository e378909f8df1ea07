// PNG info of a folder: one row a picture, a filter, a table to take along.

/** @import { FolderInfo, InfoRow, Parts, Server, Words } from "./ohwx_types" */

const PAGE = 200; // rows shown at once
const HINT =
  "Reads the infotext of every picture in a folder and its subfolders, and pairs the pictures from before and after " +
  "a face pass. The folder must be on the machine that runs the webui.";

/** @param {InfoRow} row */
const searched = (row) => [row.path, row.program, row.infotext || row.told].join("\n").toLowerCase();

/** Rows that hold each phrase of a filter; commas part them. @param {readonly InfoRow[]} rows @param {string} filter */
export function matchingRows(rows, filter) {
  const phrases = filter
    .toLowerCase()
    .split(",")
    .map((phrase) => phrase.trim())
    .filter(Boolean);
  return rows.filter((row) => phrases.every((phrase) => searched(row).includes(phrase)));
}

/** What a row shows in a column. @param {InfoRow} row @param {string} column */
const cellOf = (row, column) =>
  ({ Picture: row.path, Pair: row.pair, Program: row.program })[column] ?? row.values?.[column] ?? "";

/**
 * Rows by one column, numbers by their value, rows without any last; a column of "" leaves them as they are.
 *
 * @param {readonly InfoRow[]} rows
 * @param {string} column
 * @param {boolean} isDown
 */
export function sortedRows(rows, column, isDown) {
  if (!column) return [...rows];
  const order = new Intl.Collator("en", { numeric: true });
  const filled = rows.filter((row) => cellOf(row, column) !== "");
  filled.sort((a, b) => order.compare(String(cellOf(a, column)), String(cellOf(b, column))) * (isDown ? -1 : 1));
  return [...filled, ...rows.filter((row) => cellOf(row, column) === "")];
}

/** How many rows are seen. @param {number} seen @param {FolderInfo} info @param {Pick<Words, "counted">} words */
export function countWords(seen, { rows, total }, { counted }) {
  if (!rows.length) return "";
  const some = seen === rows.length ? "" : `${seen} of `;
  const rest = total > rows.length ? `, the first of ${total}; the CSV has all of them` : "";
  return `${some}${counted(rows.length, "picture")}${rest}`;
}

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {object} hooks
 * @param {(name: string) => any} hooks.recall
 * @param {(name: string, value: unknown) => void} hooks.remember
 * @param {(infotext: string) => void} hooks.draft
 */
export function pnginfoView(parts, server, hooks) {
  const { make, button, field, textInput, setShown, setText } = parts;
  const example = { placeholder: "/pictures/outputs", value: hooks.recall("folder") ?? "" };
  const folder = textInput("ohwx-folder", example);
  const read = button("Read", begin, { id: "ohwx-folder-read", className: "ohwx-button ohwx-primary" });
  const filterWords = { type: "search", placeholder: "Filter: seed: 10, karras", "aria-label": "Filter the rows" };
  const filter = textInput("ohwx-rows-filter", filterWords);
  const csv = button("Download CSV", save, { id: "ohwx-csv" });
  const count = make("span", { className: "ohwx-grey", role: "status", id: "ohwx-rows-count" });
  const { node: error, say } = parts.errorLine();
  const empty = make("p", { className: "ohwx-grey ohwx-empty" }, HINT);
  const thumbs = thumbnails(server);
  const table = rowTable(parts, { pick, sort, thumbOf: thumbs.of });
  const detail = detailOf(parts, hooks.draft);
  const more = button("Show more", showMore, { id: "ohwx-rows-more" });
  const line = make("div", { className: "ohwx-line", hidden: true }, filter, count, csv);
  /** @param {SubmitEvent} event */
  const onsubmit = (event) => {
    event.preventDefault();
    begin();
  };
  const ask = { className: "ohwx-line ohwx-end", onsubmit };
  const node = make(
    "section",
    { className: "ohwx-form ohwx-broad" },
    make("form", ask, field("Folder", folder, "ohwx-grow"), read),
    error,
    empty,
    line,
    make("div", { className: "ohwx-split" }, table.node, detail.node),
    more,
  );
  /** @type {FolderInfo} */
  let found = { rows: [], columns: [], total: 0 };
  let folderOf = ""; // the rows'
  let shown = PAGE;
  /** @type {InfoRow | null} */
  let picked = null;
  let sorted = { column: "", isDown: false };
  setShown(table.node, false);
  setShown(more, false);

  async function begin() {
    const path = folder.value.trim();
    if (!path) {
      say("Enter a folder first.");
      folder.focus();
      return;
    }
    if (read.disabled) return;
    read.disabled = true;
    setText(read, "Reading…");
    try {
      use(path, await server.post("api/pnginfo", { folder: path }, 600));
    } catch (fault) {
      say(/** @type {Error} */ (fault).message);
    }
    read.disabled = false;
    setText(read, "Read");
  }

  /** Only the webui's own page may ask for the table, so it is asked for here and not by a link. */
  async function save() {
    csv.disabled = true;
    say("");
    try {
      const table = await server.postForFile("api/pnginfo.csv", { folder: folderOf }, 600);
      const href = URL.createObjectURL(table);
      make("a", { href, download: "pictures.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    } catch (fault) {
      say(/** @type {Error} */ (fault).message);
    }
    csv.disabled = false;
  }

  /** @param {string} path @param {FolderInfo} info */
  function use(path, info) {
    [found, folderOf, shown, picked] = [info, path, PAGE, null];
    sorted = { column: "", isDown: false };
    say("");
    thumbs.forget();
    hooks.remember("folder", path);
    table.head(["Picture", "Pair", "Program", ...info.columns]);
    draw();
  }

  /** @param {InfoRow} row */
  function pick(row) {
    picked = row;
    detail.show(row);
    table.mark(row);
  }

  /** By a column, the other way round the second time. @param {string} column */
  function sort(column) {
    sorted = { column, isDown: sorted.column === column && !sorted.isDown };
    draw();
  }

  function draw() {
    const all = sortedRows(matchingRows(found.rows, filter.value), sorted.column, sorted.isDown);
    table.order(sorted);
    table.rows(all.slice(0, shown), found.columns, picked);
    setText(count, countWords(all.length, found, parts));
    setText(empty, "This folder has no pictures.");
    setShown(empty, !found.rows.length);
    setShown(line, found.rows.length);
    setShown(table.node, found.rows.length);
    setShown(more, all.length > shown);
    setShown(detail.node, picked && all.includes(picked));
  }

  function showMore() {
    shown += PAGE;
    draw();
  }

  filter.addEventListener("input", () => {
    shown = PAGE;
    draw();
  });
  return { node };
}

/**
 * Small pictures, asked for when a row of theirs is seen, a few at once, and kept until another folder is read.
 *
 * @param {Server} server
 */
function thumbnails(server) {
  const AT_ONCE = 3;
  /** @type {Map<string, string>} */
  let known = new Map(); // addresses by path, "" where there is none
  /** @type {HTMLImageElement[]} */
  let waiting = [];
  let busy = 0;
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      const image = /** @type {HTMLImageElement} */ (target);
      if (isIntersecting) waiting.push(image);
      else waiting = waiting.filter((each) => each !== image);
    }
    next();
  });

  async function next() {
    const image = busy < AT_ONCE && waiting.shift();
    if (!image) return;
    busy++;
    seen.unobserve(image);
    const [path = "", mine] = [image.dataset.path, known];
    const address = known.get(path) ?? (await asked(path));
    if (mine === known) known.set(path, address);
    else if (address) URL.revokeObjectURL(address); // of a folder that was left
    if (address && mine === known) image.src = address;
    busy--;
    next();
  }

  /** @param {string} path */
  async function asked(path) {
    try {
      return URL.createObjectURL(await server.postForFile("api/pnginfo.jpg", { path }, 60));
    } catch {
      return ""; // the row says what is wrong with it
    }
  }

  return {
    /** @param {string} path @returns {HTMLImageElement} */
    of(path) {
      const image = Object.assign(new Image(40, 40), { alt: "", className: "ohwx-thumb" });
      image.dataset.path = path;
      const address = known.get(path);
      if (address) image.src = address;
      else if (address === undefined) seen.observe(image);
      return image;
    },
    forget() {
      for (const address of known.values()) if (address) URL.revokeObjectURL(address);
      [known, waiting] = [new Map(), []];
    },
  };
}

/**
 * @param {Parts} parts
 * @param {object} hooks
 * @param {(row: InfoRow) => void} hooks.pick
 * @param {(column: string) => void} hooks.sort
 * @param {(path: string) => HTMLElement} hooks.thumbOf
 */
function rowTable({ make, fileName }, { pick, sort, thumbOf }) {
  const head = make("tr");
  const body = make("tbody");
  const region = { className: "ohwx-table", tabIndex: 0, role: "region", "aria-label": "Pictures" };
  const node = make("div", region, make("table", {}, make("thead", {}, head), body));
  /** @type {Map<InfoRow, HTMLElement>} */
  let lines = new Map();

  /** @param {InfoRow} row @param {readonly string[]} columns */
  function lineOf(row, columns) {
    const link = { type: "button", className: "ohwx-link", title: row.path, onclick: () => pick(row) };
    const name = make("th", { scope: "row" }, thumbOf(row.path), make("button", link, fileName(row.path)));
    const values = columns.map((column) => make("td", {}, make("span", {}, String(row.values?.[column] ?? ""))));
    return make("tr", {}, name, make("td", {}, fileName(row.pair)), make("td", {}, row.program ?? ""), ...values);
  }

  /** @param {string} name */
  function headOf(name) {
    const button = make("button", { type: "button", className: "ohwx-link", onclick: () => sort(name) }, name);
    return make("th", { scope: "col" }, button);
  }

  /** @param {InfoRow | null} picked */
  function mark(picked) {
    for (const [row, line] of lines) line.classList.toggle("ohwx-picked", row === picked);
  }

  return {
    node,
    mark,
    /** @param {readonly string[]} names */
    head: (names) => head.replaceChildren(...names.map(headOf)),
    /** Tell by which column the rows stand. @param {{ column: string, isDown: boolean }} sorted */
    order({ column, isDown }) {
      for (const cell of head.children) {
        const way = cell.textContent === column && (isDown ? "descending" : "ascending");
        cell.setAttribute("aria-sort", way || "none");
      }
    },
    /** @param {readonly InfoRow[]} rows @param {readonly string[]} columns @param {InfoRow | null} picked */
    rows(rows, columns, picked) {
      lines = new Map(rows.map((row) => [row, lineOf(row, columns)]));
      body.replaceChildren(...lines.values());
      mark(picked);
    },
  };
}

/** The chosen picture's infotext. @param {Parts} parts @param {(infotext: string) => void} draft */
function detailOf({ make, button, setText, setShown }, draft) {
  const text = make("pre", { tabIndex: 0, "aria-label": "Infotext" });
  /** @type {InfoRow | null} */
  let row = null;
  const compare = button("Compare checkpoints with it", () => draft(row?.infotext ?? ""), { id: "ohwx-row-draft" });
  const line = make("div", { className: "ohwx-line" }, compare);
  const about = { className: "ohwx-detail", "aria-label": "Selected picture", hidden: true };
  const node = make("aside", about, line, text);
  return {
    node,
    /** @param {InfoRow} now */
    show(now) {
      row = now;
      setText(text, row.infotext || row.told || row.error || "This picture has no infotext.");
      compare.disabled = !row.infotext;
      setShown(node, true);
    },
  };
}
