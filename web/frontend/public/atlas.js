// The public map: select here or in the list, narrow it, look back; the address in the URL holds all of it.
import "../entries/app.js";
import { makeMap, readConfig } from "../map/map.js";
import { makeAsking } from "./asking.js";
import { makeCard } from "./card.js";
import { makeFilters } from "./filters.js";
import { makeHistory } from "./history.js";
import { distinct, makeListing, touchable } from "./listing.js";
import { makeWords } from "./pictures.js";
import { followStacks, stackLayers } from "./stacks.js";
import * as state from "./state.js";

const element = document.getElementById("map");
const config = { ...readConfig(element), hash: "map", authority: state.read().authority || null };
// Whether the address names a view: the map writes one itself as soon as it stands.
const viewGiven = location.hash !== "";
const stacks = { type: "FeatureCollection", features: [] };
const map = makeMap(element, config, () => stackLayers(stacks));
const said = makeWords(config);
const card = makeCard(map, config, said);
const asking = makeAsking(map, config, said, card);
makeFilters(map, config, document.getElementById("legend"));
makeListing(map, config, said, card);
makeHistory(config);
followStacks(map, stacks);

map.on("click", (event) => {
  const around = [[event.point.x - 7, event.point.y - 7], [event.point.x + 7, event.point.y + 7]];
  const hit = distinct(map.queryRenderedFeatures(around, { layers: touchable(map) }));
  const points = hit.filter((one) => one.source === "clusters" || config.outlines[one.properties.kind]);
  if (hit.length === 0 || (points.length === 0 && event.originalEvent.shiftKey)) asking.at(event.lngLat);
  else if (points.length === 1) card.open(points[0], points[0].geometry.coordinates);
  // What stands on one spot is listed by itself; the ground around it is to be had beside it.
  else if (points.length > 1) card.choose(points, points[0].geometry.coordinates);
  else if (hit.length === 1) card.open(hit[0], event.lngLat);
  else card.choose(hit, event.lngLat);
});
map.on("mousemove", (event) => {
  const over = map.queryRenderedFeatures(event.point, { layers: touchable(map) });
  map.getCanvas().style.cursor = over.length ? "pointer" : "";
});

// A link of the panel to something on the map selects it there; without this script it leads to its page.
document.querySelector(".side").addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sel]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  card.show(link.getAttribute("href"), null);
});

map.once("load", () => {
  asking.pointAtAnswer({ move: !viewGiven });
  card.fromAddress();
});
