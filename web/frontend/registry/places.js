// The devices of a page on their map: selecting in one selects in the other.
import { boundsOf, makeMap, maplibregl, readConfig } from "../map/map.js";

const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let map = null;
let places = null;

const chosen = ["boolean", ["feature-state", "chosen"], false];

function layers(colour) {
  return {
    sources: { places: { type: "geojson", data: places } },
    layers: [
      { id: "view", type: "fill", source: "places", filter: ["==", ["get", "part"], "view"], paint: { "fill-color": colour("accent"), "fill-opacity": 0.18 } },
      { id: "view-edge", type: "line", source: "places", filter: ["==", ["get", "part"], "view"], paint: { "line-color": colour("accent"), "line-width": 1.5 } },
      {
        id: "place-chosen", type: "circle", source: "places", filter: ["==", ["geometry-type"], "Point"],
        paint: {
          "circle-radius": 18, "circle-color": colour("accent"), "circle-opacity": ["case", chosen, 0.25, 0],
          "circle-stroke-color": colour("accent"), "circle-stroke-width": ["case", chosen, 2, 0],
        },
      },
      {
        id: "place", type: "symbol", source: "places", filter: ["==", ["geometry-type"], "Point"],
        layout: { "icon-image": ["concat", "device-", ["get", "kind"], "-", ["get", "look"]], "icon-allow-overlap": true },
      },
    ],
  };
}

function select(id, { move = true } = {}) {
  for (const feature of places.features) map.setFeatureState({ source: "places", id: feature.id }, { chosen: feature.id === id });
  for (const row of document.querySelectorAll("[data-place]")) {
    const same = Number(row.dataset.place) === id;
    if (same) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    if (same && !move) row.scrollIntoView({ block: "nearest" });
  }
  const place = places.features.find((feature) => feature.id === id);
  if (place && move) map.easeTo({ center: place.geometry.coordinates, animate: !still });
}

function fit(config) {
  const points = places.features.filter((feature) => feature.geometry.type === "Point");
  if (points.length < 2) return;
  const box = new maplibregl.LngLatBounds();
  for (const feature of points) box.extend(boundsOf(feature.geometry));
  map.fitBounds(box.isEmpty() ? config.bounds : box, { padding: 48, maxZoom: 16, animate: false });
}

function start(element) {
  const config = readConfig(element);
  places = config.places;
  map = makeMap(element, config, layers);
  map.once("load", () => fit(config));
  map.on("click", "place", (event) => select(event.features[0].id, { move: false }));
  map.on("mouseenter", "place", () => (map.getCanvas().style.cursor = "pointer"));
  map.on("mouseleave", "place", () => (map.getCanvas().style.cursor = ""));
}

export function showPlaces() {
  const element = document.getElementById("map");
  if (!element) return;
  start(element);
  const near = (event) => {
    const row = event.target.closest?.("[data-place]");
    if (row && map) select(Number(row.dataset.place));
  };
  document.addEventListener("focusin", near);
  document.addEventListener("mouseover", near);
  // Filters change the list and the map in place.
  document.body.addEventListener("htmx:afterSettle", () => {
    const fresh = document.getElementById("map");
    if (fresh && !fresh.querySelector(".canvas")) start(fresh);
  });
}
