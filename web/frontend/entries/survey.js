// The survey page: draw on the map or type the corners, and see the flight over them laid out at once.
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPointMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { colours } from "../map/colours.js";
import { boundsOf, makeMap, maplibregl, readConfig } from "../map/map.js";
import "./app.js";

const WAIT_MS = 300;
const EMPTY = { type: "FeatureCollection", features: [] };
const DRAFT = "survey-draft";
const element = document.getElementById("map");
const form = document.getElementById("survey-form");
const result = document.getElementById("result");
const tools = document.getElementById("tools");
const config = readConfig(element);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const field = (name) => form.elements.namedItem(name);
let plan = EMPTY;
let places = EMPTY;

const part = (name) => ["==", ["get", "part"], name];
const map = makeMap(element, config, (colour) => ({
  sources: { plan: { type: "geojson", data: plan }, places: { type: "geojson", data: places, promoteId: "index" } },
  layers: [
    { id: "swath", type: "fill", source: "plan", filter: part("swath"), paint: { "fill-color": colour("accent"), "fill-opacity": 0.16 } },
    { id: "asked", type: "line", source: "plan", filter: part("area"), paint: { "line-color": colour("ink"), "line-width": 1.5, "line-dasharray": [4, 3] } },
    { id: "way", type: "line", source: "plan", filter: part("way"), paint: { "line-color": colour("patrol"), "line-width": 2, "line-dasharray": [2, 2] } },
    { id: "strip", type: "line", source: "plan", filter: part("line"), paint: { "line-color": colour("ink"), "line-width": ["interpolate", ["linear"], ["zoom"], 12, 1, 16, 2.5] } },
    {
      id: "home", type: "circle", source: "plan", filter: part("home"),
      paint: { "circle-radius": 6, "circle-color": colour("accent"), "circle-stroke-color": colour("surface"), "circle-stroke-width": 2 },
    },
    { id: "place-fill", type: "fill", source: "places", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour("state-stop"), "fill-opacity": 0.3 } },
    { id: "place-line", type: "line", source: "places", filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": colour("state-stop"), "line-width": 3 } },
    {
      id: "place-point", type: "circle", source: "places", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": 7, "circle-color": colour("state-stop"), "circle-stroke-color": colour("surface"), "circle-stroke-width": 2 },
    },
  ],
}));

// -- what is drawn and what is typed are one thing ------------------------------------------------

const round = ([lon, lat]) => [Number(lon.toFixed(6)), Number(lat.toFixed(6))];
const typed = (corners) => corners.map((corner) => round(corner).join(", ")).join("\n");

// The runs of corners of the text, empty lines between them; null where a line is no place.
function runs(text) {
  const found = [];
  let run = null;
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (!line) {
      run = null;
      continue;
    }
    const corner = line.split(/[\s,;，；]+/).filter(Boolean).map(Number);
    if (corner.length !== 2 || corner.some(Number.isNaN)) return null;
    if (!run) found.push((run = []));
    run.push(round(corner));
  }
  return found;
}

function features() {
  const text = field("shape").value;
  const found = text.trim().startsWith("{") ? fromGeoJson(text) : runs(text);
  document.getElementById("shape-fault").textContent = found ? "" : config.said.unreadable;
  const made = [];
  if (found?.length && field("kind").value === "corridor") made.push(drawn("corridor", "LineString", found.flat(), 2));
  else if (found && !field("area").value) found.forEach((run, index) => made.push(drawn(index ? "hole" : "area", "Polygon", run, 3)));
  const home = runs(field("home").value)?.[0]?.[0];
  if (home) made.push({ type: "Feature", properties: { mode: "home" }, geometry: { type: "Point", coordinates: home } });
  return made.filter(Boolean);
}

function drawn(mode, type, run, least) {
  const closed = run.length > 1 && run[0].join() === run.at(-1).join();
  const corners = type === "Polygon" && closed ? run.slice(0, -1) : run;
  if (corners.length < least) return null;
  const coordinates = type === "Polygon" ? [[...corners, corners[0]]] : corners;
  return { type: "Feature", properties: { mode }, geometry: { type, coordinates } };
}

function fromGeoJson(text) {
  try {
    const document = JSON.parse(text);
    const geometry = document.features?.[0]?.geometry ?? document.geometry ?? document;
    if (geometry.type === "LineString") return [geometry.coordinates.map(round)];
    return geometry.type === "Polygon" ? geometry.coordinates.map((ring) => ring.map(round)) : [];
  } catch {
    return null;
  }
}

function write(snapshot) {
  const of = (mode) => snapshot.filter((feature) => feature.properties.mode === mode && !feature.properties.currentlyDrawing);
  const corridor = of("corridor").at(-1);
  const area = of("area").at(-1);
  const ring = (feature) => typed(feature.geometry.coordinates[0].slice(0, -1));
  const home = of("home").at(-1);
  if (field("kind").value === "corridor" && corridor) field("shape").value = typed(corridor.geometry.coordinates);
  if (field("kind").value === "area" && area) field("shape").value = [area, ...of("hole")].map(ring).join("\n\n");
  field("home").value = home ? typed([home.geometry.coordinates]) : field("home").value;
}

// -- drawing --------------------------------------------------------------------------------------

let draw = null;
let mode = "select";

function pens() {
  const colour = colours();
  const fill = (name) => ({ fillColor: colour(name), outlineColor: colour(name), fillOpacity: 0.08, outlineWidth: 2 });
  const corners = { feature: { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } } };
  return [
    new TerraDrawPolygonMode({ modeName: "area", styles: fill("accent") }),
    new TerraDrawPolygonMode({ modeName: "hole", styles: fill("zone") }),
    new TerraDrawLineStringMode({ modeName: "corridor", styles: { lineStringColor: colour("accent"), lineStringWidth: 3 } }),
    new TerraDrawPointMode({ modeName: "home", styles: { pointColor: colour("accent"), pointWidth: 6 } }),
    new TerraDrawSelectMode({ flags: { area: corners, hole: corners, corridor: corners, home: { feature: { draggable: true } } } }),
  ];
}

function startDrawing() {
  draw?.stop();
  draw = new TerraDraw({ adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 7 }), modes: pens() });
  draw.start();
  draw.on("finish", (id, context) => {
    if (context.action === "draw") keepOne(id);
    write(draw.getSnapshot());
    if (context.action === "draw") choose("select");
    ask();
  });
  draw.on("change", (_ids, kind) => {
    // A corner that was deleted from the keyboard, and corners while they are dragged.
    if (mode === "select" && (kind === "update" || kind === "delete")) {
      write(draw.getSnapshot());
      ask();
    }
  });
  put();
  // Whoever comes with nothing wants to draw; whoever comes back wants to change what is there.
  choose(field("shape").value || field("area").value || field("home").value ? mode : field("kind").value);
  tools.hidden = false;
}

// One area, one corridor, one take-off place: what is drawn anew replaces what was there.
function keepOne(id) {
  const kind = draw.getSnapshotFeature(id)?.properties.mode;
  const others = draw.getSnapshot().filter((feature) => feature.id !== id && feature.properties.mode === kind);
  if (kind !== "hole" && others.length) draw.removeFeatures(others.map((feature) => feature.id));
}

function put() {
  if (!draw) return;
  draw.clear();
  draw.addFeatures(features());
}

function choose(next) {
  mode = next;
  if (next === "area" || next === "hole" || next === "corridor") {
    field("kind").value = next === "corridor" ? "corridor" : "area";
    if (next !== "corridor") field("area").value = "";
    fit();
  }
  draw.setMode(next);
  for (const button of tools.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === next));
}

tools.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-mode]")?.dataset.mode;
  if (wanted) choose(wanted);
});
document.getElementById("clear").addEventListener("click", () => {
  field("shape").value = field("home").value = field("area").value = "";
  put();
  ask();
});

// -- asking, while it is drawn ----------------------------------------------------------------------

let waiting = 0;
let asked = null;
let moving = false;

function ask({ move = false } = {}) {
  keep();
  clearTimeout(waiting);
  // A question that moves the map is not forgotten when another one takes its place.
  moving ||= move;
  waiting = setTimeout(fetchResult, WAIT_MS);
}

async function fetchResult() {
  asked?.abort();
  const mine = (asked = new AbortController());
  result.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch("/pilot/survey/draw", {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, signal: mine.signal,
    });
    const said = await answer.json();
    if (answer.ok) result.innerHTML = said.html;
    show(said.geo ?? {}, moving);
    moving = false;
  } catch (error) {
    // A newer question took its place; anything else leaves the form as it is, and the button still works.
    if (error.name === "AbortError") return;
  }
  if (asked === mine) result.removeAttribute("aria-busy");
}

function show(geo, move) {
  plan = geo.plan ?? EMPTY;
  places = geo.places ?? EMPTY;
  map.getSource("plan")?.setData(plan);
  map.getSource("places")?.setData(places);
  const box = new maplibregl.LngLatBounds();
  for (const feature of [...plan.features, ...places.features]) box.extend(boundsOf(feature.geometry));
  if (move && !box.isEmpty()) map.fitBounds(box, { padding: 60, maxZoom: 16, animate: !still });
}

document.addEventListener("click", (event) => {
  const index = event.target.closest("[data-show]")?.dataset.show;
  const place = places.features.find((feature) => feature.properties.index === Number(index));
  if (!place) return;
  map.fitBounds(boundsOf(place.geometry), { padding: 120, maxZoom: 17, animate: !still });
  if (matchMedia("(max-width: 860px)").matches) element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "center" });
});

function fit() {
  for (const each of form.querySelectorAll("[data-for]")) each.hidden = each.dataset.for !== field("kind").value;
}

form.addEventListener("input", (event) => {
  const name = event.target.name;
  fit();
  if (["shape", "home", "kind", "area"].includes(name)) put();
  ask({ move: name === "area" || name === "shape" });
});
form.addEventListener("submit", (event) => {
  // Laying out needs no new page; files and the check are answers of their own.
  if (event.submitter?.hasAttribute("formaction")) return;
  event.preventDefault();
  ask({ move: true });
});

// -- nothing is lost ----------------------------------------------------------------------------------

function keep() {
  sessionStorage.setItem(DRAFT, JSON.stringify([...new FormData(form)]));
}

function restore() {
  const draft = sessionStorage.getItem(DRAFT);
  if (!draft || field("shape").value || field("area").value) return;
  const values = new Map(JSON.parse(draft));
  for (const each of form.elements) {
    if (!each.name) continue;
    if (each.type === "checkbox") each.checked = values.has(each.name);
    else if (values.has(each.name)) each.value = values.get(each.name);
  }
}

restore();
fit();
map.once("load", () => {
  startDrawing();
  if (result.dataset.geo) show(JSON.parse(result.dataset.geo), true);
  else if (field("shape").value || field("area").value) ask({ move: true });
  // Light and dark exchange the whole style, and with it what the drawing had put there.
  map.on("style.load", startDrawing);
});
