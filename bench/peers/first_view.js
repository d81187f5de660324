// The peer of the first view: all devices as one GeoJSON source and nothing else, grouped by MapLibre or a circle each.
// Symbols for each of them are no choice: beyond some sixty thousand in one tile MapLibre draws none.
import * as maplibregl from "maplibre-gl";

maplibregl.setWorkerUrl(new URL("./maplibre-gl-worker.js", import.meta.url).href);
const element = document.getElementById("map");
const grouped = element.dataset.manner === "grouped";
const canvas = document.createElement("div");
canvas.className = "canvas";
element.append(canvas);

const map = new maplibregl.Map({
  container: canvas,
  bounds: JSON.parse(element.dataset.bounds),
  fadeDuration: 0,
  fitBoundsOptions: { padding: 32 },
  attributionControl: false,
  style: {
    version: 8,
    sources: { devices: { type: "geojson", data: new URL("devices.geojson", location.href).href, cluster: grouped } },
    layers: [
      { id: "land", type: "background", paint: { "background-color": "#f3f3ef" } },
      {
        id: "device", type: "circle", source: "devices",
        paint: { "circle-color": ["match", ["get", "state"], "active", "#1d6fa5", "in_notice_period", "#b7791f", "#6b7280"], "circle-radius": ["case", ["has", "point_count"], 12, 4] },
      },
    ],
  },
});
map.once("idle", () => element.setAttribute("data-ready", ""));
// How many it shows, asked when the clock stands.
window.shown = () => {
  const seen = map.queryRenderedFeatures({ layers: ["device"] }).map((one) => one.properties);
  return [...new Map(seen.map((one) => [one.cluster_id ?? one.public_id, one.point_count ?? 1])).values()].reduce((sum, n) => sum + n, 0);
};
