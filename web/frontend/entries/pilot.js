// The pilot desk: the plan on the map, and every refusal at its place; selecting in one selects in the other.
import { boundsOf, makeMap, maplibregl, readConfig } from "../map/map.js";
import "./app.js";

const element = document.getElementById("map");
const config = readConfig(element);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const EMPTY = { type: "FeatureCollection", features: [] };
let plan = EMPTY;
let places = EMPTY;

const map = makeMap(element, config, (colour) => ({
  sources: { plan: { type: "geojson", data: plan }, places: { type: "geojson", data: places, promoteId: "index" } },
  layers: [
    { id: "swath", type: "fill", source: "plan", filter: ["==", ["get", "part"], "footprint"], paint: { "fill-color": colour("accent"), "fill-opacity": 0.12 } },
    { id: "plan-halo", type: "line", source: "plan", filter: ["==", ["get", "part"], "line"], paint: { "line-color": colour("map-halo"), "line-width": 7 } },
    { id: "track", type: "line", source: "plan", filter: ["==", ["get", "part"], "track"], paint: { "line-color": colour("state-stop"), "line-width": 2 } },
    { id: "plan", type: "line", source: "plan", filter: ["==", ["get", "part"], "line"], paint: { "line-color": colour("ink"), "line-width": 3 } },
    { id: "place-fill", type: "fill", source: "places", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour("state-stop"), "fill-opacity": ["case", chosen(), 0.5, 0.25] } },
    { id: "place-line", type: "line", source: "places", filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": colour("state-stop"), "line-width": ["case", chosen(), 5, 3] } },
    {
      id: "place-point", type: "circle", source: "places", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": ["case", chosen(), 10, 7], "circle-color": colour("state-stop"), "circle-stroke-color": colour("surface"), "circle-stroke-width": 2 },
    },
  ],
}));

function chosen() {
  return ["boolean", ["feature-state", "chosen"], false];
}

function readResult() {
  const result = document.getElementById("result");
  const geo = result?.dataset.geo ? JSON.parse(result.dataset.geo) : null;
  plan = geo?.plan ?? config.plan ?? EMPTY;
  places = geo?.places ?? EMPTY;
  map.getSource("plan")?.setData(plan);
  map.getSource("places")?.setData(places);
  const box = new maplibregl.LngLatBounds();
  for (const feature of [...plan.features, ...places.features]) box.extend(boundsOf(feature.geometry));
  if (!box.isEmpty()) map.fitBounds(box, { padding: 60, maxZoom: 16, animate: !still });
}

function select(index, { move = true } = {}) {
  for (const feature of places.features) {
    map.setFeatureState({ source: "places", id: feature.properties.index }, { chosen: feature.properties.index === index });
  }
  for (const item of document.querySelectorAll("#result .refusal")) {
    const same = Number(item.dataset.index) === index;
    item.setAttribute("aria-current", String(same));
    if (same && !move) item.scrollIntoView({ block: "nearest" });
  }
  const place = places.features.find((feature) => feature.properties.index === index);
  if (place && move) map.fitBounds(boundsOf(place.geometry), { padding: 120, maxZoom: 17, animate: !still });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show]");
  if (!button) return;
  select(Number(button.dataset.show));
  if (matchMedia("(max-width: 860px)").matches) element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "center" });
});
for (const layer of ["place-fill", "place-line", "place-point"]) {
  map.on("click", layer, (event) => select(event.features[0].properties.index, { move: false }));
}
document.body.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "result") {
    readResult();
    document.getElementById("result").scrollIntoView({ block: "nearest" });
  }
});
map.once("load", readResult);

// A plan that the survey page handed over stands in the form as if it had been chosen here.
const planForm = document.getElementById("plan-form");
if (planForm?.dataset.handed) {
  const { name, text } = JSON.parse(planForm.dataset.handed);
  const files = new DataTransfer();
  files.items.add(new File([text], name));
  planForm.elements.plan.files = files.files;
}
