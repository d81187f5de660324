// Labels on a map of a masked scene: a click or an area says what is there.
import { TerraDraw, TerraDrawPointMode, TerraDrawPolygonMode, TerraDrawRenderMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { makeMap, readConfig } from "../map/map.js";
import "./app.js";

// Okabe and Ito's colours; a class also has its name in the key beside the map.
const SHADES = ["#bbbbbb", "#d55e00", "#0072b2", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#f0e442", "#7a5195", "#003f5c"];
const element = document.getElementById("map");
const form = document.getElementById("labels");
const own = document.getElementById("own");
const marks = document.getElementById("marks");
const config = readConfig(element);
const shadeOf = Object.fromEntries(config.classes.map((name, index) => [name, SHADES[index % SHADES.length]]));
const shade = (name) => shadeOf[name] ?? "#ffffff";
let drawn = parse(marks.value);
let draw = null;

for (const swatch of document.querySelectorAll("[data-class]")) swatch.style.background = shade(swatch.dataset.class);

const byClass = ["match", ["get", "class"], ...Object.entries(shadeOf).flat(), "#ffffff"];
const places = (id, source, dashed) => [
  { id: `${id}-fill`, type: "fill", source, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": byClass, "fill-opacity": 0.25 } },
  {
    id: `${id}-line`, type: "line", source, filter: ["==", ["geometry-type"], "Polygon"],
    paint: { "line-color": byClass, "line-width": 2, ...(dashed ? { "line-dasharray": [2, 1.5] } : {}) },
  },
  {
    id: `${id}-point`, type: "circle", source, filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": dashed ? 6 : 4, "circle-color": byClass, "circle-stroke-color": "#000000", "circle-stroke-width": 1 },
  },
];
const map = makeMap(element, config, () => ({
  sources: {
    picture: { type: "raster", tiles: [location.origin + config.picture.tiles], tileSize: 256, bounds: config.bounds, maxzoom: config.picture.maxzoom },
    said: { type: "geojson", data: collection(config.labels) },
    drawn: { type: "geojson", data: collection(drawn) },
  },
  layers: [
    { id: "picture", type: "raster", source: "picture", paint: { "raster-fade-duration": 0 } },
    ...places("said", "said", false),
    ...places("drawn", "drawn", true),
  ],
}));
map.on("load", start);
tell();

function collection(features) {
  return { type: "FeatureCollection", features };
}

function parse(text) {
  try {
    return JSON.parse(text).features ?? [];
  } catch {
    return [];
  }
}

function start() {
  draw = new TerraDraw({
    adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 7 }),
    modes: [new TerraDrawPointMode({ modeName: "click" }), new TerraDrawPolygonMode({ modeName: "area" }), new TerraDrawRenderMode({ modeName: "still", styles: {} })],
  });
  draw.start();
  draw.on("finish", (id) => {
    const made = draw.getSnapshotFeature(id);
    draw.removeFeatures([id]);
    drawn.push({ type: "Feature", geometry: made.geometry, properties: { class: chosen() } });
    tell();
  });
  choose("click");
  document.getElementById("tools").hidden = false;
}

function chosen() {
  return own.value && own.validity.valid ? own.value : form.elements.namedItem("chosen").value;
}

function choose(mode) {
  draw?.setMode(mode);
  for (const button of document.querySelectorAll("#tools [data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
}

// What is drawn stands in the form as well: nothing is lost when it is refused.
function tell() {
  map.getSource("drawn")?.setData(collection(drawn));
  marks.value = drawn.length ? JSON.stringify(collection(drawn)) : "";
  const line = document.getElementById("drawn");
  line.textContent = drawn.length ? line.dataset.some.replace("{n}", drawn.length) : line.dataset.none;
  document.getElementById("keep").disabled = !drawn.length;
}

marks.addEventListener("change", () => {
  drawn = parse(marks.value);
  tell();
});
document.getElementById("tools").addEventListener("click", (event) => {
  const mode = event.target.closest("[data-mode]")?.dataset.mode;
  if (mode) choose(mode);
});
document.getElementById("undo").addEventListener("click", undo);

function undo() {
  drawn.pop();
  tell();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio]), textarea, select")) return;
  const radios = form.querySelectorAll("[name=chosen]");
  const act = { c: () => choose("click"), p: () => choose("area"), u: undo, Enter: () => draw?.getMode() !== "area" && drawn.length && form.requestSubmit() }[event.key];
  if (radios[Number(event.key)] && event.key.trim()) {
    radios[Number(event.key)].checked = true;
    own.value = "";
  } else if (act) act();
  else return;
  event.preventDefault();
});
