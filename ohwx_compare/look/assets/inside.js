// The page within the webui's tab: its colours and fonts, less height above the pictures, and files dropped on it.

/** The page's own colours, and which of the webui's stand for them. @type {Record<string, string>} */
const THEIRS = {
  "--paper": "--body-background-fill",
  "--raised": "--input-background-fill",
  "--ink": "--body-text-color",
  "--rule": "--border-color-primary",
  "--tile": "--background-fill-secondary",
  "--accent": "--link-text-color",
};
const READABLE = 4.5; // contrast of a text with what it stands on: WCAG 2.1, 1.4.3

/** A colour as its parts, 0 to 255; null for what is none. @param {string} colour */
function partsOf(colour) {
  const probe = make("span");
  probe.style.color = colour;
  document.body.append(probe);
  const said = probe.style.color && getComputedStyle(probe).color.match(/^rgba?\(([^)]+)\)$/);
  probe.remove();
  return said && said[1] ? said[1].split(/[\s,/]+/).map(Number) : null;
}

/** Relative luminance, WCAG 2.1. @param {number[]} parts */
function luminance(parts) {
  const [red = 0, green = 0, blue = 0] = parts.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {number[]} one @param {number[]} other */
function contrast(one, other) {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Take the colours and the font of what stands around the page; what cannot be read on it stays the page's own. */
function dressAsAround() {
  const around = parent.document.querySelector(".ohwx-compare");
  if (!around) return;
  const theirs = getComputedStyle(around);
  const { style } = document.documentElement;
  const found = Object.entries(THEIRS).map(([own, name]) => {
    const colour = theirs.getPropertyValue(name).trim();
    return /** @type {const} */ ([own, colour, colour ? partsOf(colour) : null]);
  });
  const paper = found.find(([own]) => own === "--paper")?.[2];
  const ink = found.find(([own]) => own === "--ink")?.[2];
  if (!paper || !ink || contrast(paper, ink) < READABLE) return;
  style.fontFamily = theirs.fontFamily;
  for (const [own, colour, parts] of found) {
    if (parts && (own !== "--accent" || contrast(parts, paper) >= READABLE)) style.setProperty(own, colour);
    if (parts && own === "--accent" && contrast(parts, paper) >= READABLE) {
      style.setProperty("--accent-ink", luminance(parts) > 0.18 ? "#000" : "#fff");
    }
  }
  style.setProperty("--grey", "color-mix(in srgb, var(--ink) 68%, var(--paper))");
  style.setProperty("--stage", "var(--tile)");
}

/** What was asked for stands above the pictures only on request: the tab tells title and progress already. */
function foldSettings() {
  const button = $("about");
  button.hidden = false;
  button.addEventListener("click", () => {
    const isOpen = document.documentElement.classList.toggle("told");
    button.setAttribute("aria-expanded", String(isOpen));
  });
}

/** Files dropped here are the tab's: a browser would show them in place of the page. */
function passFilesOn() {
  addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    tell({ ohwx: "drop", files });
  });
}

function settleIn() {
  document.documentElement.classList.add("embedded");
  try {
    dressAsAround();
  } catch {
    // not the webui's own page around it
  }
  foldSettings();
  passFilesOn();
}
