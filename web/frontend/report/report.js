// What a map that is one file (geo/notebook.py) does beside Leaflet: it sizes the symbols by zoom, groups them where they
// are many (symbols.js), draws directions and names along lines, and says in its language what its buttons do.
import { followSymbols } from "./symbols.js";

const SPACING_PX = 110;
const SVG = "http://www.w3.org/2000/svg";

addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector(".folium-map");
  const key = document.querySelector(".report-key");
  const map = window[box.id];
  // A map that saves itself tells no language, and folium lets nobody make it larger.
  document.documentElement.lang ||= key.dataset.lang;
  document.querySelector("meta[name=viewport]").content = "width=device-width, initial-scale=1";
  map.attributionControl.setPrefix("Leaflet");
  L.control.scale({ imperial: false }).addTo(map);
  name(box.querySelector(".leaflet-control-zoom-in"), key.dataset.closer);
  name(box.querySelector(".leaflet-control-zoom-out"), key.dataset.farther);
  map.on("popupopen", ({ popup }) => name(popup.getElement().querySelector(".leaflet-popup-close-button"), key.dataset.close));
  const inputs = [...key.querySelectorAll("input")];
  const names = new Map(inputs.map((input) => [`of-${input.value}`, input.nextElementSibling.nextElementSibling.textContent]));
  const place = followSymbols(map, box, names, key.dataset.lang);
  for (const input of inputs) {
    input.addEventListener("change", () => {
      box.classList.toggle(`without-${input.value}`, !input.checked);
      place();
    });
    // A browser that comes back to the page keeps its boxes as they were left.
    box.classList.toggle(`without-${input.value}`, !input.checked);
  }
  place();
  const lines = document.createElementNS(SVG, "g");
  lines.setAttribute("class", "line-mark");
  map.on("zoomend moveend", () => draw(map, box, lines));
  draw(map, box, lines);
});

function name(button, said) {
  button.title = said;
  button.setAttribute("aria-label", said);
}

function draw(map, box, lines) {
  // The sizes of the symbols of the public map (web/frontend/map/themes.js), whose zooms are one less than Leaflet's.
  const near = map.getZoom() - 1;
  const isNear = near >= 11.5;
  const size = near < 13 ? 0.62 + ((near - 10) * 0.23) / 3 : 0.85 + ((near - 13) * 0.3) / 3;
  box.style.setProperty("--size", Math.min(1.15, Math.max(0.62, size)));
  lines.replaceChildren();
  map.getPanes().overlayPane.querySelector("svg > g")?.append(lines);
  map.eachLayer((layer) => {
    const path = layer.getElement?.();
    if (!(path instanceof SVGPathElement)) return;
    const shown = document.createElementNS(SVG, "g");
    shown.setAttribute("class", [...path.classList].filter((one) => one.startsWith("of-")).join(" "));
    if (path.classList.contains("directed")) arrows(path, shown);
    if (isNear && path.classList.contains("named")) written(map, layer, shown);
    if (shown.firstChild) lines.append(shown);
  });
}

function add(parent, element, attributes) {
  const made = document.createElementNS(SVG, element);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  parent.append(made);
  return made;
}

function arrows(path, shown) {
  const length = path.getTotalLength();
  const count = Math.max(1, Math.round(length / SPACING_PX));
  for (let i = 0.5; length > 16 && i < count; i += 1) {
    const [a, b] = [-1, 1].map((step) => path.getPointAtLength((length * i) / count + step));
    const turn = (Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI;
    for (const [stroke, width] of [["var(--map-halo)", 5], [path.getAttribute("stroke"), 2.4]]) {
      add(shown, "path", {
        d: "M-2.5-4.5 3 0-2.5 4.5", stroke, "stroke-width": width,
        transform: `translate(${(a.x + b.x) / 2} ${(a.y + b.y) / 2}) rotate(${turn})`,
      });
    }
  }
}

// The lines of a shape, however deep they lie in it.
const linesOf = (places) => (places[0]?.lat === undefined ? places.flatMap(linesOf) : [places]);

// The note that all of a sample district is made up stands above the map; in it, it would drown the names.
const NOTE = / ?[(（](fictional|虚构)[)）]/;

// A name stands along the longest side, where that is long enough for it: above a line, inside of an area. Of two sides
// as long the upper one has it. Nothing is written upside down.
function written(map, layer, shown) {
  let longest = { px: 0 };
  for (const line of linesOf(layer.getLatLngs())) {
    const places = line.map((one) => map.latLngToLayerPoint(one));
    places.slice(1).forEach((to, i) => {
      const px = places[i].distanceTo(to);
      const middle = (places[i].y + to.y) / 2;
      if (px > longest.px + 1 || (px > longest.px - 1 && middle < longest.y)) longest = { px, y: middle, from: places[i], to };
    });
  }
  const said = (layer.feature.properties._name ?? "").replace(NOTE, "");
  const width = [...said].reduce((sum, letter) => sum + (letter > "\u2e7f" ? 12 : 6.5), 0);
  if (!said || longest.px < width + 24) return;
  const [from, to] = longest.from.x <= longest.to.x ? [longest.from, longest.to] : [longest.to, longest.from];
  const turn = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
  const middle = from.add(to).divideBy(2);
  const inward = layer instanceof L.Polygon ? map.latLngToLayerPoint(layer.getBounds().getCenter()).subtract(middle) : { x: 0, y: -1 };
  const isBelow = inward.y * (to.x - from.x) - inward.x * (to.y - from.y) > 0;
  const at = `translate(${middle.x} ${middle.y}) rotate(${turn})`;
  add(shown, "text", { transform: at, y: isBelow ? 15 : -7 }).textContent = said;
}
