// The peer of the first view: all devices as one GeoJSON source, with the symbols of our own map and nothing else.
import * as maplibregl from "maplibre-gl";
import { colours } from "../../web/frontend/map/colours.js";
import { addSymbols } from "../../web/frontend/map/symbols.js";

maplibregl.setWorkerUrl(new URL("./maplibre-gl-worker.js", import.meta.url).href);
const KINDS = { video: "M10 2.6a7.4 7.4 0 1 1 0 14.8a7.4 7.4 0 1 1 0-14.8z" };
const element = document.getElementById("map");
const canvas = document.createElement("div");
canvas.className = "canvas";
element.append(canvas);

const look = ["match", ["get", "state"], "active", "on", "in_notice_period", "soon", "maintenance", "pause", "out_of_use", "stop", "off"];
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
        id: "device", type: "symbol", source: "devices",
        layout: { "icon-image": ["concat", "device-", ["get", "kind"], "-", look], "icon-size": 0.8, "icon-allow-overlap": true },
      },
    ],
  },
});
map.once("styledata", () => addSymbols(map, KINDS, colours()));
map.once("idle", () => element.setAttribute("data-ready", ""));
// How many it shows, asked when the clock stands.
window.shown = () => new Set(map.queryRenderedFeatures({ layers: ["device"] }).map((one) => one.properties.public_id)).size;
