// Symbols drawn at run time from the same outlines that the page's legend uses: shape is the kind, fill is the state.
const SIZE = 26;
const RATIO = 2;

export const LOOKS = ["on", "soon", "pause", "stop", "off"];
const RING = 40;

function canvas(width, height = width) {
  const sheet = document.createElement("canvas");
  sheet.width = width * RATIO;
  sheet.height = height * RATIO;
  // Every picture is read back at once, which a canvas in the memory of a graphics card is slow at.
  const pen = sheet.getContext("2d", { willReadFrequently: true });
  pen.scale(RATIO, RATIO);
  return pen;
}

function image(pen) {
  return pen.getImageData(0, 0, pen.canvas.width, pen.canvas.height);
}

function device(outline, look, colour) {
  const pen = canvas(SIZE);
  const shape = new Path2D();
  // Outlines are drawn in a 20 x 20 box; the rest of the picture is room for the halo.
  shape.addPath(new Path2D(outline), new DOMMatrix().translate((SIZE - 20) / 2, (SIZE - 20) / 2));
  const ink = colour(`state-${look}`);
  pen.lineJoin = "round";
  pen.strokeStyle = colour("surface");
  pen.lineWidth = 5;
  pen.stroke(shape);
  const hollow = look === "soon" || look === "off";
  pen.fillStyle = hollow ? colour("surface") : ink;
  pen.fill(shape);
  pen.save();
  pen.clip(shape);
  pen.strokeStyle = ink;
  pen.lineWidth = hollow ? 6 : 3;
  pen.strokeStyle = hollow ? ink : colour("ink");
  pen.globalAlpha = hollow ? 1 : 0.35;
  pen.stroke(shape);
  pen.restore();
  mark(pen, look, colour, ink);
  return image(pen);
}

function mark(pen, look, colour, ink) {
  const middle = SIZE / 2;
  pen.lineWidth = 2;
  pen.lineCap = "round";
  if (look === "pause") {
    pen.strokeStyle = colour("surface");
    line(pen, middle - 2.2, middle - 3, middle - 2.2, middle + 3);
    line(pen, middle + 2.2, middle - 3, middle + 2.2, middle + 3);
  } else if (look === "stop") {
    pen.strokeStyle = colour("surface");
    line(pen, middle - 3, middle, middle + 3, middle);
  } else if (look === "off") {
    pen.strokeStyle = ink;
    line(pen, middle - 5, middle + 5, middle + 5, middle - 5);
  }
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function hatch(ink, side = 8, width = 1.6) {
  const pen = canvas(side);
  pen.strokeStyle = ink;
  pen.lineWidth = width;
  // Three strokes, so that the pattern meets itself at its edges.
  for (const shift of [-side, 0, side]) line(pen, shift - 1, side + 1, shift + side + 1, -1);
  return image(pen);
}

function arrow(ink, halo) {
  const pen = canvas(16);
  pen.lineCap = pen.lineJoin = "round";
  for (const [colour, width] of [[halo, 5], [ink, 2.4]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(5.5, 3.5);
    pen.lineTo(11, 8);
    pen.lineTo(5.5, 12.5);
    pen.stroke();
  }
  return image(pen);
}

// The ring of a group, `ring-5-0-4-0-3`: of twelve parts so many in each look, each look with its own weight of line,
// so that the parts tell themselves apart without colour too.
export function ring(name, colour) {
  const parts = name.split("-").slice(1).map(Number);
  const pen = canvas(RING);
  const middle = RING / 2;
  const whole = parts.reduce((sum, part) => sum + part, 0) || 1;
  pen.fillStyle = colour("surface");
  pen.beginPath();
  pen.arc(middle, middle, 18.5, 0, 2 * Math.PI);
  pen.shadowColor = "rgb(0 0 0 / 28%)";
  pen.shadowBlur = 3;
  pen.fill();
  pen.shadowBlur = 0;
  let from = -Math.PI / 2;
  LOOKS.forEach((look, i) => {
    if (!parts[i]) return;
    const to = from + (2 * Math.PI * parts[i]) / whole;
    const alone = parts[i] === whole;
    const gap = alone ? 0 : 0.07;
    pen.beginPath();
    pen.strokeStyle = colour(`state-${look}`);
    pen.lineWidth = { on: 5, soon: 5, pause: 3.5, stop: 5, off: 2 }[look];
    pen.setLineDash(look === "soon" ? [3.2, 2] : []);
    pen.arc(middle, middle, 15.5, from + gap, to - gap);
    pen.stroke();
    from = to;
  });
  pen.setLineDash([]);
  return image(pen);
}

// How many devices stand on one spot, as a badge at the upper right of the symbol.
export function badge(count, colour) {
  const pen = canvas(34);
  const text = count > 99 ? "99+" : String(count);
  pen.font = "700 10px system-ui, sans-serif";
  const wide = Math.max(14, pen.measureText(text).width + 7);
  pen.fillStyle = colour("ink");
  pen.strokeStyle = colour("surface");
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.roundRect(17 - wide / 2, 10, wide, 14, 7);
  pen.fill();
  pen.stroke();
  pen.fillStyle = colour("surface");
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, 17, 17.5);
  return image(pen);
}

// Puts every symbol into the map, for one that asks for none by name.
export function addSymbols(map, outlines, colour) {
  for (const [kind, outline] of Object.entries(outlines)) {
    for (const look of LOOKS) put(map, `device-${kind}-${look}`, device(outline, look, colour));
  }
  addPatterns(map, colour);
}

function put(map, name, picture) {
  if (map.hasImage(name)) map.removeImage(name);
  map.addImage(name, picture, { pixelRatio: RATIO });
}

// Puts what fills and lines are drawn with into the map; called again when the colour scheme changes.
export function addPatterns(map, colour) {
  put(map, "hatch", hatch(colour("zone")));
  put(map, "nothing", hatch(colour("map-silent"), 12, 1.2));
  put(map, "arrow", arrow(colour("patrol"), colour("map-halo")));
}

// Draws what a style asks for by name: symbols of devices, rings of groups, badges of stacks. Few of the symbols are in
// any view, so none is drawn before it is asked for.
export async function drawMissing(map, name, outlines, colour) {
  if (map.hasImage(name)) return;
  const [, kind, look] = /^device-(.+)-([a-z]+)$/.exec(name) ?? [];
  if (outlines[kind] && LOOKS.includes(look)) put(map, name, device(outlines[kind], look, colour));
  if (name.startsWith("ring-")) map.addImage(name, ring(name, colour), { pixelRatio: RATIO });
  else if (name.startsWith("badge-")) map.addImage(name, badge(Number(name.slice(6)), colour), { pixelRatio: RATIO });
}
