// PNG info of a folder: one row a picture, words to filter by, a table to take along.

const PAGE = 200; // rows drawn at once

export function pnginfoView(parts, server, hooks) {
  const { make, button, field, textInput, setShown, setText, counted } = parts;
  const folder = textInput("ohwx-folder", { placeholder: "/pictures/outputs", value: hooks.recall("folder") ?? "" });
  const read = button("Read", begin, { id: "ohwx-folder-read", className: "ohwx-button ohwx-primary" });
  const filter = textInput("ohwx-rows-filter", { type: "search", placeholder: "Filter: seed: 10, karras", "aria-label": "Filter the rows" });
  const csv = make("a", { id: "ohwx-csv", className: "ohwx-button", download: "" }, "Download CSV");
  const count = make("span", { className: "ohwx-grey", role: "status", id: "ohwx-rows-count" });
  const said = make("p", { className: "ohwx-error", role: "alert", hidden: true });
  const empty = make("p", { className: "ohwx-grey ohwx-empty" }, "Reads the infotexts of every picture in a folder on the webui's machine, subfolders too, and tells which picture is which other's before its face pass.");
  const head = make("tr");
  const rows = make("tbody");
  const table = make("div", { className: "ohwx-table", tabIndex: 0, role: "region", "aria-label": "Pictures" },
    make("table", {}, make("thead", {}, head), rows));
  const more = button("Show more", () => { shown += PAGE; draw(); }, { id: "ohwx-rows-more" });
  const text = make("pre", { tabIndex: 0, "aria-label": "Infotext" });
  const compare = button("Compare checkpoints with it", () => hooks.draft(picked.infotext), { id: "ohwx-row-draft" });
  const detail = make("aside", { className: "ohwx-detail", "aria-label": "Chosen picture", hidden: true }, make("div", { className: "ohwx-line" }, compare), text);
  const line = make("div", { className: "ohwx-line", hidden: true }, filter, count, csv);
  const node = make("section", { className: "ohwx-form ohwx-broad" },
    make("form", { className: "ohwx-line ohwx-end", onsubmit: (event) => { event.preventDefault(); begin(); } }, field("Folder", folder, "ohwx-grow"), read),
    said, empty, line, make("div", { className: "ohwx-split" }, table, detail), more);
  let found = null, shown = PAGE, picked = null;
  setShown(table, false);
  setShown(more, false);

  const say = (words) => { setText(said, words); setShown(said, words); };

  async function begin() {
    const path = folder.value.trim();
    if (!path) { say("Name a folder first."); folder.focus(); return; }
    if (read.disabled) return;
    read.disabled = true;
    setText(read, "Reading…");
    try {
      found = await server.post("api/pnginfo", { folder: path }, 600);
      for (const row of found.rows) row.ohwxHay = [row.path, row.infotext ?? ""].join("\n").toLowerCase();
      say("");
      hooks.remember("folder", path);
      csv.href = `ohwx/api/pnginfo.csv?folder=${encodeURIComponent(path)}`;
      [shown, picked] = [PAGE, null];
      head.replaceChildren(...["Picture", "Before or after", ...found.columns].map((name) => make("th", { scope: "col" }, name)));
      draw();
    } catch (error) {
      say(error.message);
    }
    read.disabled = false;
    setText(read, "Read");
  }

  const base = (path) => (path ?? "").split(/[\\/]/).pop();

  function rowNode(row) {
    const name = make("button", { type: "button", className: "ohwx-link", title: row.path, onclick: () => pick(row) }, base(row.path));
    const values = found.columns.map((column) => make("td", {}, make("span", {}, String(row.values?.[column] ?? ""))));
    const line = make("tr", { className: row === picked ? "ohwx-picked" : "" }, make("th", { scope: "row" }, name), make("td", {}, base(row.pair)), ...values);
    line.ohwxRow = row;
    return line;
  }

  function pick(row) {
    picked = row;
    setText(text, row.infotext || row.error || "This picture carries no infotext.");
    compare.disabled = !row.infotext;
    setShown(detail, true);
    for (const line of rows.rows) line.classList.toggle("ohwx-picked", line.ohwxRow === row);
  }

  function hits() {
    const words = filter.value.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
    return found.rows.filter((row) => words.every((word) => row.ohwxHay.includes(word)));
  }

  function draw() {
    const all = hits();
    rows.replaceChildren(...all.slice(0, shown).map(rowNode));
    const of = found.total > found.rows.length ? ` of ${found.total}; the CSV holds all` : "";
    setText(count, found.rows.length ? `${all.length === found.rows.length ? "" : `${all.length} of `}${counted(found.rows.length, "picture")}${of}` : "");
    setShown(empty, !found.rows.length);
    if (!found.rows.length) setText(empty, "No picture in this folder.");
    setShown(line, found.rows.length);
    setShown(table, found.rows.length);
    setShown(more, all.length > shown);
    setShown(detail, picked && all.includes(picked));
  }

  filter.addEventListener("input", () => { shown = PAGE; draw(); });
  return { node };
}
