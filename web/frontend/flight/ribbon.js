// Metres beside the route over time: one bar for each moment, the dashed line is what is allowed.
import { LOOK } from "./track.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 60;
const MOST_BARS = 500;

function node(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

export function drawRibbon(svg, track, tolerance, gaps) {
  const count = track.t.length;
  if (count < 2) return svg.replaceChildren();
  const [start, end] = [track.t[0], track.t[count - 1]];
  const x = (t) => ((t - start) / Math.max(end - start, 1)) * WIDTH;
  const top = Math.max(tolerance * 2, ...track.cross_m.map((value) => value ?? 0));
  const y = (value) => HEIGHT - (Math.min(value, top) / top) * HEIGHT;
  const drawn = [];
  const step = Math.max(1, Math.ceil(count / MOST_BARS));
  for (let i = 0; i < count; i += step) {
    // Of the moments that share a bar the worst is drawn.
    const worst = Math.max(...track.cross_m.slice(i, i + step).map((value) => value ?? 0));
    const off = track.state.slice(i, i + step).some((state) => LOOK[state] === "stop");
    const next = track.t[Math.min(i + step, count - 1)];
    drawn.push(node("rect", { x: x(track.t[i]), y: y(worst), width: Math.max(x(next) - x(track.t[i]), 0.5), height: HEIGHT - y(worst), class: off ? "off" : "on" }));
  }
  for (const gap of gaps) drawn.push(node("rect", { x: x(gap.from), y: 0, width: Math.max(x(gap.until) - x(gap.from), 1), height: HEIGHT, class: "gap" }));
  drawn.push(node("line", { x1: 0, x2: WIDTH, y1: y(tolerance), y2: y(tolerance), class: "limit", "vector-effect": "non-scaling-stroke" }));
  return svg.replaceChildren(...drawn);
}
