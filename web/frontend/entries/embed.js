// The map in a frame: it is looked at and moved with two fingers; whatever is chosen opens in a page of its own.
import { makeMap, maplibregl, readConfig } from "../map/map.js";
import { distinct, touchable } from "../public/listing.js";
import { narrow } from "../public/narrow.js";
import { makeWords } from "../public/pictures.js";

document.documentElement.classList.add("scripted");
const element = document.getElementById("map");
const read = readConfig(element);
// What stands at the edge is seen whole, beside the buttons at the right and the scale below.
const padding = { top: 28, left: 28, right: 68, bottom: 40 };
const config = { ...read, padding, cooperative: true, authority: read.view?.authority || null, hash: "map" };
// Whether the address names a view: the map writes one itself as soon as it stands.
const viewGiven = location.hash !== "";
const map = makeMap(element, config);
const said = makeWords(config);
narrow(map, config);

if (config.centre && !viewGiven) map.jumpTo({ center: config.centre, zoom: 15 });
map.on("load", () => {
  if (!config.chosen) return;
  const [source, id] = config.chosen;
  map.setFeatureState({ source, sourceLayer: source, id }, { chosen: true });
});

map.on("click", (event) => {
  const around = [[event.point.x - 9, event.point.y - 9], [event.point.x + 9, event.point.y + 9]];
  const found = distinct(map.queryRenderedFeatures(around, { layers: touchable(map) })).slice(0, 8);
  if (!found.length) return;
  if (found.length === 1 && said.isGroup(found[0])) {
    map.easeTo({ center: found[0].geometry.coordinates, zoom: Math.min(map.getZoom() + 2.5, config.singleFrom + 0.6) });
    return;
  }
  const list = document.createElement("ul");
  list.className = "results";
  for (const one of found.filter((each) => !said.isGroup(each))) {
    const path = `${config.paths[said.layerOf(one)]}/${encodeURIComponent(one.properties.public_id)}`;
    list.append(said.row(one, () => open(path, "_blank", "noopener")));
  }
  if (list.childElementCount) new maplibregl.Popup({ offset: 14 }).setLngLat(event.lngLat).setDOMContent(list).addTo(map);
});
