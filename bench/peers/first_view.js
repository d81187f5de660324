// The peer of the first view: all devices as one GeoJSON source, with the symbols of our own map and nothing else.
import * as maplibregl from "maplibre-gl";

maplibregl.setWorkerUrl(new URL("./maplibre-gl-worker.js", import.meta.url).href);
const element = document.getElementById("map");
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
    sources: { devices: { type: "geojson", data: new URL("devices.geojson", location.href).href } },
    layers: [
      { id: "land", type: "background", paint: { "background-color": "#f3f3ef" } },
      {
        id: "device", type: "circle", source: "devices",
        paint: { "circle-color": ["match", ["get", "state"], "active", "#1d6fa5", "in_notice_period", "#b7791f", "#6b7280"], "circle-radius": 4 },
      },
    ],
  },
});
map.once("idle", () => element.setAttribute("data-ready", ""));
// How many it shows, asked when the clock stands.
window.shown = () => new Set(map.queryRenderedFeatures({ layers: ["device"] }).map((one) => one.properties.public_id)).size;
