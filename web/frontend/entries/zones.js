// The zone desk: the place that is asked for on the map, and what it would reach; drafts are kept.
import { boundsOf, makeMap, maplibregl, readConfig } from "../map/map.js";
import { keepDrafts } from "../registry/drafts.js";
import { walkLists } from "../keys.js";
import "./app.js";

keepDrafts();
walkLists();

const element = document.getElementById("map");
const config = readConfig(element);
const asked = config.asked ?? { type: "FeatureCollection", features: [] };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const stops = ["boolean", ["get", "stops"], false];
const chosen = ["boolean", ["feature-state", "chosen"], false];
const part = (name) => ["==", ["get", "part"], name];

const map = makeMap(element, config, (colour) => ({
  sources: { asked: { type: "geojson", data: asked } },
  layers: [
    {
      id: "reached-fill", type: "fill", source: "asked", filter: ["all", part("reached"), ["==", ["geometry-type"], "Polygon"], ["!=", ["get", "kind"], "patrol_area"]],
      paint: { "fill-color": ["case", stops, colour("state-stop"), colour("accent")], "fill-opacity": ["case", chosen, 0.35, 0.15] },
    },
    {
      id: "reached-line", type: "line", source: "asked", filter: ["all", part("reached"), ["!=", ["geometry-type"], "Point"]],
      paint: { "line-color": ["case", stops, colour("state-stop"), colour("accent")], "line-width": ["case", chosen, 4, 2] },
    },
    {
      id: "reached-point", type: "circle", source: "asked", filter: ["all", part("reached"), ["==", ["geometry-type"], "Point"]],
      paint: {
        "circle-radius": ["case", chosen, 13, 9], "circle-color": ["case", stops, colour("state-stop"), colour("accent")],
        "circle-stroke-color": colour("surface"), "circle-stroke-width": 2,
      },
    },
    { id: "asked-fill", type: "fill", source: "asked", filter: part("asked"), paint: { "fill-color": colour("state-stop"), "fill-opacity": ["case", chosen, 0.5, 0.2] } },
    { id: "asked-line", type: "line", source: "asked", filter: part("asked"), paint: { "line-color": colour("state-stop"), "line-width": 3, "line-dasharray": [2, 1] } },
  ],
}));

// Selecting in the list selects on the map.
function near(event) {
  const row = event.target.closest?.("[data-place]");
  if (!row || !map.isStyleLoaded()) return;
  const id = Number(row.dataset.place);
  for (const feature of asked.features) map.setFeatureState({ source: "asked", id: feature.id }, { chosen: feature.id === id });
  const found = asked.features.find((feature) => feature.id === id);
  if (!found || event.type !== "focusin") return;
  const box = new maplibregl.LngLatBounds().extend(boundsOf(found.geometry));
  // What would be reached is shown together with the place that reaches it.
  if (found.properties.part === "reached") box.extend(boundsOf(asked.features[0].geometry));
  map.fitBounds(box, { padding: 60, maxZoom: 16, animate: !still });
}
document.addEventListener("focusin", near);
document.addEventListener("mouseover", near);
