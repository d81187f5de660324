// Pictures of the map of a study, drawn at run time: a hatching for what nobody sees, a sign for a site that is planned.
const RATIO = 2;

function canvas(size) {
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = size * RATIO;
  const pen = sheet.getContext("2d");
  pen.scale(RATIO, RATIO);
  return pen;
}

const image = (pen) => pen.getImageData(0, 0, pen.canvas.width, pen.canvas.height);

// Strokes that run on from tile to tile, told from those of privacy zones by their colour and by crossing the other way.
export function gapHatch(ink) {
  const size = 12;
  const pen = canvas(size);
  pen.strokeStyle = ink;
  pen.lineWidth = 1.2;
  for (const shift of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(shift - 2, -2);
    pen.lineTo(shift + size + 2, size + 2);
    pen.stroke();
  }
  return image(pen);
}

export function planned(colour) {
  const pen = canvas(26);
  pen.translate(13, 13);
  pen.rotate(Math.PI / 4);
  pen.lineWidth = 6;
  pen.strokeStyle = colour("surface");
  pen.strokeRect(-6, -6, 12, 12);
  pen.fillStyle = colour("surface");
  pen.fillRect(-6, -6, 12, 12);
  pen.lineWidth = 2.5;
  pen.setLineDash([3, 2]);
  pen.strokeStyle = colour("accent");
  pen.strokeRect(-6, -6, 12, 12);
  return image(pen);
}
