// The modules find each other by the address that the webui loaded them under, and become one object.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../../javascript/", import.meta.url);
const TABS = ["ohwx_compare.mjs", "ohwx_train.mjs"];
const APART = ["ohwx_server.mjs", "ohwx_send.mjs"]; // handed on as they are
const text = (name) => readFileSync(new URL(name, FOLDER), "utf8");
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".mjs"));

/** The modules that a tab names. */
function partsOf(tab) {
  const lists = [...text(tab).matchAll(/^const (?:NAMES|MORE|REST) = \[([^\]]*)\]/gm)].map(([, list]) => list).join();
  const modules = [...lists.matchAll(/"(\w+)"/g)].map(([, name]) => `ohwx_${name}.mjs`);
  return modules.filter((name) => !APART.includes(name));
}

test("every module is part of a tab", () => {
  const named = new Set([...TABS, ...TABS.flatMap(partsOf), ...APART]);
  assert.deepEqual(
    files.filter((name) => !named.has(name)),
    [],
  );
});

test("no module imports another by a fixed address, which would load an older one out of the browser's cache", () => {
  for (const name of files) assert.doesNotMatch(text(name), /^\s*(import|export) .*\bfrom "/m, name);
});

for (const tab of TABS) {
  test(`the modules of ${tab} share no name`, async () => {
    const seen = new Map();
    for (const file of partsOf(tab)) {
      for (const name of Object.keys(await import(new URL(file, FOLDER)))) {
        assert.equal(seen.get(name), undefined, `${name} is exported by ${seen.get(name)} and ${file}`);
        seen.set(name, file);
      }
    }
    assert.ok(seen.size > 20);
  });

  test(`the modules of ${tab} take from each other what there is`, async () => {
    const modules = await Promise.all(partsOf(tab).map((file) => import(new URL(file, FOLDER))));
    const parts = Object.assign({}, ...modules);
    for (const file of [tab, ...partsOf(tab)]) {
      for (const [, name] of text(file).matchAll(/\bparts\.(\w+)/g)) assert.ok(name in parts, `${file}: parts.${name}`);
    }
  });
}
