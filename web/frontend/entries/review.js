// The review desk: the keyboard decides where to look, the officer decides what it is.
import { boundsOf, makeMap, readConfig } from "../map/map.js";

const element = document.getElementById("map");
if (element) drawMap();
compare();
addEventListener("keydown", keys);

function drawMap() {
  const config = readConfig(element);
  const collection = (features) => ({ type: "geojson", data: { type: "FeatureCollection", features } });
  const map = makeMap(element, { ...config, cooperative: true }, (colour) => ({
    sources: { finding: collection(config.finding), track: collection(config.track) },
    layers: [
      { id: "track", type: "line", source: "track", paint: { "line-color": colour("patrol"), "line-width": 2, "line-dasharray": [1, 1.5] } },
      { id: "finding-fill", type: "fill", source: "finding", paint: { "fill-color": colour("state-stop"), "fill-opacity": 0.18 } },
      { id: "finding", type: "line", source: "finding", paint: { "line-color": colour("state-stop"), "line-width": 2.5 } },
    ],
  }));
  map.fitBounds(boundsOf(config.finding[0].geometry), { padding: 110, maxZoom: 15, duration: 0 });
}

// Before and after: side by side, or one over the other under a slider.
function compare() {
  const box = document.getElementById("compare");
  const tools = document.getElementById("compare-tools");
  if (!box) return;
  const outline = tools.querySelector("[data-outline]");
  tools.hidden = false;
  outline.addEventListener("click", () => outline.setAttribute("aria-pressed", String(!box.classList.toggle("bare"))));
  const [, after] = box.querySelectorAll(".frame");
  const swipe = tools.querySelector("[data-mode]");
  swipe.hidden = !after;
  if (!after) return;
  const slider = document.getElementById("swipe");
  const draw = () => (after.style.clipPath = `inset(0 0 0 ${100 - slider.value}%)`);
  swipe.addEventListener("click", (event) => {
    const over = box.classList.toggle("swipe");
    slider.hidden = !over;
    event.target.setAttribute("aria-pressed", String(over));
    if (over) draw();
    else after.style.clipPath = "";
  });
  slider.addEventListener("input", draw);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input:not([type=radio]):not([type=range]), textarea, select");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const action = ACTIONS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

const ACTIONS = {
  j: () => step(1),
  k: () => step(-1),
  a: () => decide("confirm"),
  r: () => decide("reject"),
  u: () => decide("leave_open"),
  t: () => document.getElementById("take")?.click(),
  o: () => document.querySelector("[data-outline]")?.click(),
  s: () => document.querySelector("#compare-tools:not([hidden]) [data-mode]")?.click(),
  "?": () => document.getElementById("keys").showModal(),
};

function step(by) {
  const links = [...document.querySelectorAll("#queue a")];
  const at = links.findIndex((link) => link.getAttribute("aria-current") === "true");
  const next = links[at < 0 ? 0 : at + by];
  if (next) location.assign(next.href);
}

function decide(what) {
  const choice = document.querySelector(`#decision [value=${what}]`);
  if (!choice) return;
  choice.checked = true;
  document.getElementById("reason").focus();
}
