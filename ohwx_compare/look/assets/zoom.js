// Where a picture lies on the stage. The view is kept in parts of the picture, so it stays from cell to cell.

/** @typedef {{ width: number, height: number }} Size px */
/** @typedef {{ x: number, y: number }} Place */
/** @typedef {Place & { zoom: number }} View zoom 1 fits the stage; x and y, 0..1, lie in its middle */

const LEAST = 0.2; // zoom
const MOST = 64; // px of the screen for one of the picture

/** The scale at which a picture just fits. @param {Size} stage @param {Size} picture */
const fitScale = (stage, picture) => Math.min(stage.width / picture.width, stage.height / picture.height) || 1;

/** @param {number} value @param {number} least @param {number} most */
const within = (value, least, most) => Math.min(Math.max(value, least), most);

/** A view that is neither too near, too far nor beside the picture. @param {View} view @param {number} fit its scale */
function bounded({ zoom, x, y }, fit) {
  return { zoom: within(zoom, LEAST, MOST / fit), x: within(x, 0, 1), y: within(y, 0, 1) };
}

/** Scale and top left corner, px of the stage. @param {View} view @param {Size} stage @param {Size} picture */
function layerAt(view, stage, picture) {
  const scale = fitScale(stage, picture) * view.zoom;
  const left = stage.width / 2 - view.x * picture.width * scale;
  const top = stage.height / 2 - view.y * picture.height * scale;
  return { scale, left, top };
}

/**
 * Nearer by a factor, the point (px of the stage) staying where it is.
 *
 * @param {View} view
 * @param {number} factor
 * @param {Place} point
 * @param {Size} stage
 * @param {Size} picture
 */
function zoomedAt(view, factor, point, stage, picture) {
  const fit = fitScale(stage, picture);
  const zoom = within(view.zoom * factor, LEAST, MOST / fit);
  const shift = 1 / (fit * view.zoom) - 1 / (fit * zoom);
  const x = view.x + ((point.x - stage.width / 2) * shift) / picture.width;
  const y = view.y + ((point.y - stage.height / 2) * shift) / picture.height;
  return bounded({ zoom, x, y }, fit);
}

/**
 * Moved with the pointer, px of the stage.
 *
 * @param {View} view
 * @param {Place} by
 * @param {Size} stage
 * @param {Size} picture
 */
function panned(view, by, stage, picture) {
  const fit = fitScale(stage, picture);
  const scale = fit * view.zoom;
  const x = view.x - by.x / scale / picture.width;
  const y = view.y - by.y / scale / picture.height;
  return bounded({ zoom: view.zoom, x, y }, fit);
}

/** A box in the middle, over 0.6 of the stage. @param {Box} box @param {Size} stage @param {Size} picture */
function viewOfBox([x1, y1, x2, y2], stage, picture) {
  const wanted = 0.6 * Math.min(stage.width / Math.max(x2 - x1, 1), stage.height / Math.max(y2 - y1, 1));
  const zoom = Math.max(wanted / fitScale(stage, picture), LEAST);
  return { zoom, x: (x1 + x2) / 2 / picture.width, y: (y1 + y2) / 2 / picture.height };
}
