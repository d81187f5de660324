// A place on the map and in the form is one thing: a circle is a middle and metres, an area is its corners.
import { TerraDraw, TerraDrawCircleMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { colours } from "../map/colours.js";
import { boundsOf, makeMap, readConfig } from "../map/map.js";

const PAIR = /^\s*(-?\d{1,3}(?:\.\d+)?)[\s,;，；]+(-?\d{1,3}(?:\.\d+)?)\s*$/;
const METRES_A_DEGREE = 111_320;
const EMPTY = { type: "FeatureCollection", features: [] };
const element = document.getElementById("map");
const tools = document.getElementById("tools");
const how = document.getElementById("how");
const [place, radius, shape] = ["place", "radius", "shape"].map((name) => document.getElementById(name));
let map;
let draw = null;
let mode = "circle";

const round = ([lon, lat]) => [Number(lon.toFixed(6)), Number(lat.toFixed(6))];
const say = (field, text) => {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
};

// -- circles: good enough to be seen; the server draws the one that counts ------------------------------

function ring([lon, lat], metres) {
  const wide = metres / METRES_A_DEGREE;
  const corners = Array.from({ length: 65 }, (_, step) => {
    const angle = (step * 2 * Math.PI) / 64;
    return round([lon + (wide * Math.cos(angle)) / Math.cos((lat * Math.PI) / 180), lat + wide * Math.sin(angle)]);
  });
  corners[64] = corners[0];
  return corners;
}

function circleOf(coordinates) {
  const corners = coordinates.slice(0, -1);
  const middle = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length);
  const [lon, lat] = corners[0];
  const east = (lon - middle[0]) * Math.cos((middle[1] * Math.PI) / 180);
  return [round(middle), Math.hypot(east, lat - middle[1]) * METRES_A_DEGREE];
}

function allowed(metres) {
  const { least, most } = radius.dataset;
  return Math.round(Math.min(Math.max(metres, Number(least)), Number(most)));
}

// -- from the form to the map ----------------------------------------------------------------------------

function corners() {
  const found = shape.value.split("\n").filter((line) => line.trim()).map((line) => line.match(PAIR));
  return found.every(Boolean) ? found.map(([, lon, lat]) => round([Number(lon), Number(lat)])) : [];
}

function typed() {
  const drawn = corners();
  if (drawn.length > 2) return { mode: "area", ring: [...drawn, drawn[0]] };
  const pair = place.value.match(PAIR);
  const metres = Number(radius.value);
  if (!pair || !(metres > 0)) return null;
  const middle = [Number(pair[1]), Number(pair[2])];
  return Math.abs(middle[1]) > 89 ? null : { mode: "circle", ring: ring(middle, metres) };
}

function put() {
  draw.clear();
  const found = typed();
  // Corners of an area that is not closed yet are seen as well.
  const loose = corners().map((at) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } }));
  map.getSource("loose")?.setData(found ? EMPTY : { type: "FeatureCollection", features: loose });
  if (!found) return null;
  const geometry = { type: "Polygon", coordinates: [found.ring] };
  draw.addFeatures([{ type: "Feature", properties: { mode: found.mode }, geometry }]);
  return geometry;
}

// -- from the map to the form ----------------------------------------------------------------------------

function write(feature) {
  const [outline] = feature.geometry.coordinates;
  if (feature.properties.mode === "circle") {
    const [middle, metres] = circleOf(outline);
    say(shape, "");
    say(radius, String(allowed(metres)));
    say(place, middle.join(", "));
  } else {
    say(place, "");
    say(shape, outline.slice(0, -1).map((corner) => round(corner).join(", ")).join("\n"));
    shape.closest("details").setAttribute("open", "");
  }
}

function choose(next) {
  mode = next;
  draw.setMode(next);
  for (const button of tools.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === next));
  how.textContent = how.dataset[next];
}

// By keyboard: the map is moved with its arrow keys, and its middle is taken.
function takeMiddle() {
  const { lng, lat } = map.getCenter();
  const at = round([lng, lat]).join(", ");
  if (mode === "area") {
    say(place, "");
    say(shape, shape.value.trim() ? `${shape.value.trim()}\n${at}` : at);
    shape.closest("details").setAttribute("open", "");
  } else {
    say(shape, "");
    say(place, at);
  }
  put();
}

function start() {
  draw?.stop();
  const colour = colours();
  const styles = { fillColor: colour("accent"), outlineColor: colour("accent"), fillOpacity: 0.14, outlineWidth: 2 };
  const corner = { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } };
  draw = new TerraDraw({
    adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 7 }),
    modes: [
      new TerraDrawCircleMode({ styles }),
      new TerraDrawPolygonMode({ modeName: "area", styles }),
      new TerraDrawSelectMode({ flags: { area: { feature: corner }, circle: { feature: { draggable: true } } } }),
    ],
  });
  draw.start();
  draw.on("finish", (id) => {
    const feature = draw.getSnapshotFeature(id);
    if (!feature) return;
    draw.removeFeatures(draw.getSnapshot().filter((each) => each.id !== id && ["area", "circle"].includes(each.properties.mode)).map((each) => each.id));
    write(feature);
  });
  put();
  choose(mode);
}

function layers(colour) {
  const middle = { type: "geojson", data: EMPTY };
  const paint = { "circle-radius": 5, "circle-color": colour("accent"), "circle-stroke-color": colour("surface"), "circle-stroke-width": 2 };
  return { sources: { loose: middle }, layers: [{ id: "loose", type: "circle", source: "loose", paint }] };
}

export function startPlace() {
  const config = readConfig(element);
  map = makeMap(element, config, layers);
  map.once("load", () => {
    start();
    map.on("style.load", start);
    const geometry = config.place ?? put();
    if (geometry) map.fitBounds(boundsOf(geometry), { padding: 64, maxZoom: 16, animate: false });
    tools.hidden = false;
    element.querySelector(".cross").hidden = false;
    element.dataset.drawable = "place";
  });
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.mode) choose(button.dataset.mode);
    else if (button?.dataset.act === "here") takeMiddle();
    else if (button?.dataset.act === "clear") {
      for (const field of [place, shape]) say(field, "");
      put();
      choose(mode === "select" ? "circle" : mode);
    }
  });
  for (const field of [place, radius, shape]) field.addEventListener("input", (event) => event.isTrusted && draw && put());
}
