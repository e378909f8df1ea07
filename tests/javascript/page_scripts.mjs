// The scripts of a run's page share one scope there; here their functions come as an object.

import { readFileSync } from "node:fs";

const FOLDER = new URL("../../ohwx_compare/look/assets/", import.meta.url);

/** Some of the names that `files`, which touch no document, define. */
export function pageScripts(files, names) {
  const source = files.map((file) => readFileSync(new URL(file, FOLDER), "utf8")).join("\n");
  return new Function(`"use strict"; ${source}; return { ${names.join(", ")} };`)();
}
