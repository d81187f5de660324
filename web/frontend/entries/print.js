// The map of the printed sheet: still, with the numbers of the list, and where and how large it is, in words.
import { makeMap, readConfig } from "../map/map.js";
import { textFont } from "../map/base.js";
import { narrow } from "../public/narrow.js";

document.documentElement.classList.add("scripted");
const element = document.getElementById("map");
const read = readConfig(element);
const config = { ...read, forPrint: true, authority: read.view?.authority || null, hash: "map" };
const numbers = {
  type: "FeatureCollection",
  features: config.numbered.map(([number, ...place]) => ({
    type: "Feature", properties: { number }, geometry: { type: "Point", coordinates: place },
  })),
};
const map = makeMap(element, config, (colour) => ({
  sources: { numbers: { type: "geojson", data: numbers } },
  layers: [{
    id: "number", type: "symbol", source: "numbers", minzoom: config.singleFrom,
    layout: {
      "text-field": ["to-string", ["get", "number"]], "text-font": textFont, "text-size": 11, "text-offset": [0.95, -0.75],
      "text-allow-overlap": false, "text-padding": 0, "text-variable-anchor": ["bottom-left", "bottom-right", "top-left", "top-right"],
    },
    paint: { "text-color": colour("ink"), "text-halo-color": colour("surface"), "text-halo-width": 1.6 },
  }],
}));
narrow(map, config);
map.once("idle", () => {
  const { lat, lng } = map.getCenter();
  document.getElementById("sheet-place").textContent = ` · ${lat.toFixed(4)}, ${lng.toFixed(4)}`;
});
document.getElementById("print").addEventListener("click", () => window.print());
