// The board of flights: each one's last place on the map, asked again every two seconds.
import { makeMap, readConfig } from "../map/map.js";
import { addAircraft, LOOK } from "../flight/track.js";
import "./app.js";

const element = document.getElementById("map");
const config = readConfig(element);

const features = (flights) => ({
  type: "FeatureCollection",
  features: flights.filter((row) => row.lon != null && row.state === "airborne").map((row) => ({
    type: "Feature",
    geometry: { type: "Point", coordinates: [row.lon, row.lat] },
    properties: { id: row.id, label: row.label, icon: LOOK[row.conformance] === "stop" ? "craft-stop" : "craft-on" },
  })),
});

const map = makeMap(element, config, (colour) => ({
  sources: { flights: { type: "geojson", data: features(config.flights) } },
  layers: [
    {
      id: "flights", type: "symbol", source: "flights",
      layout: { "icon-image": ["get", "icon"], "icon-allow-overlap": true, "text-field": ["get", "label"], "text-offset": [0, 1.6], "text-size": 12, "text-font": ["Noto Sans CJK SC", "sans-serif"], "text-optional": true },
      paint: { "text-color": colour("ink"), "text-halo-color": colour("map-halo"), "text-halo-width": 1.4 },
    },
  ],
}));
map.on("styledata", () => addAircraft(map));
map.on("click", "flights", (event) => location.assign(`/pilot/flight/${event.features[0].properties.id}/watch`));
map.on("mouseenter", "flights", () => (map.getCanvas().style.cursor = "pointer"));
map.on("mouseleave", "flights", () => (map.getCanvas().style.cursor = ""));

const states = (flights) => flights.map((row) => `${row.id} ${row.state}`).join();
let known = states(config.flights);

async function ask() {
  if (document.hidden) return;
  const answer = await fetch("/pilot/air.json", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return;
  const { flights } = await answer.json();
  map.getSource("flights")?.setData(features(flights));
  // Another state changes what the list says and offers; the list is the server's.
  if (states(flights) !== known) location.reload();
  known = states(flights);
}
setInterval(ask, 2000);
