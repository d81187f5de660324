// A flown track: cut where the judgement changes, where the record has a gap, and the sign of the aircraft.
export const LOOK = { accepted: "off", activated: "on", nonconforming: "stop", contingent: "stop", ended: "off" };

// Lines of one judgement each; a line over a gap is marked as such, because nobody knows what was flown there.
export function segments(track, gaps) {
  const found = [];
  const isGap = (from, until) => gaps.some((gap) => gap.from < until && gap.until > from);
  let open = null;
  for (let i = 1; i < track.t.length; i += 1) {
    const gap = isGap(track.t[i - 1], track.t[i]);
    const on = LOOK[track.state[i]] !== "stop";
    if (!open || open.properties.gap !== gap || open.properties.on !== on) {
      open = { type: "Feature", properties: { gap, on }, geometry: { type: "LineString", coordinates: [[track.lon[i - 1], track.lat[i - 1]]] } };
      found.push(open);
    }
    open.geometry.coordinates.push([track.lon[i], track.lat[i]]);
  }
  return found;
}

const SIZE = 30;
const RATIO = 2;

// An arrow head with a halo, drawn once for each look and again when the colour scheme changes.
export function addAircraft(map) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  for (const look of ["on", "stop"]) {
    const name = `craft-${look}`;
    if (map.hasImage(name)) continue;
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = SIZE * RATIO;
    const pen = sheet.getContext("2d");
    pen.scale(RATIO, RATIO);
    const arrow = new Path2D("M15 3 24.500 26 15 20.500 5.500 26z");
    pen.lineJoin = "round";
    pen.strokeStyle = colour("surface");
    pen.lineWidth = 5;
    pen.stroke(arrow);
    pen.fillStyle = colour(`state-${look}`);
    pen.fill(arrow);
    pen.strokeStyle = colour("ink");
    pen.lineWidth = 1.4;
    pen.stroke(arrow);
    map.addImage(name, pen.getImageData(0, 0, sheet.width, sheet.height), { pixelRatio: RATIO });
  }
}

// Times of the district, like everywhere else on the pages.
export function clock(t, lang) {
  return new Intl.DateTimeFormat(lang === "zh" ? "zh-CN" : "en-GB", {
    timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  }).format(t);
}
