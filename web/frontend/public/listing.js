// What is in view, as a list: the same as the map says, for whoever reads rather than looks.
import { TOUCHABLE } from "../map/style.js";

const SHOWN = 12;

export const distinct = (features) => [
  ...new Map(features.map((f) => [`${f.source}/${f.properties.public_id ?? f.geometry.coordinates}`, f])).values(),
];

export function touchable(map) {
  return TOUCHABLE.filter((id) => map.getLayer(id));
}

export function makeListing(map, config, said, card) {
  const list = document.getElementById("in-view");
  const count = document.getElementById("in-view-count");
  const more = document.getElementById("in-view-more");
  const order = ["clusters", ...Object.keys(config.paths)];
  const byName = new Intl.Collator(config.lang, { numeric: true }).compare;
  let listed = null;

  function draw() {
    const found = distinct(map.queryRenderedFeatures({ layers: touchable(map) }));
    for (const one of found) one.shown = shownOf(one);
    found.sort((a, b) => order.indexOf(a.source) - order.indexOf(b.source) || byName(said.title(a), said.title(b)));
    // The same things in view leave the list alone: whoever reads or clicks there is not disturbed.
    const key = found.map((one) => `${one.properties.public_id ?? one.geometry.coordinates}${one.properties.state}${one.shown}`).join();
    if (key === listed) return;
    listed = key;
    const total = found.reduce((sum, one) => sum + one.shown, 0);
    count.textContent = total ? config.words.inView.replace("{n}", total.toLocaleString(config.lang)) : nothing();
    list.replaceChildren(...found.slice(0, SHOWN).map((one) => said.row(one, (which) => card.open(which))));
    more.hidden = found.length <= SHOWN;
    card.remark();
  }

  // Of a group only what the legend lets through counts.
  function shownOf(one) {
    if (one.source !== "clusters") return 1 + (one.properties.more ?? 0);
    const kinds = [...document.querySelectorAll("#legend [name=kind]:checked")].map((box) => box.value);
    const states = [...document.querySelectorAll("#legend [name=state]:checked")].map((box) => config.looks[box.value] ?? "off");
    const words = Object.entries(one.properties).filter(([word]) => /_(on|soon|pause|stop|off)$/.test(word));
    return words.filter(([word]) => kinds.some((kind) => states.some((look) => word === `${kind}_${look}`))).reduce((sum, [, n]) => sum + n, 0);
  }

  // An empty view where nobody has published is another thing than one where there is nothing.
  function nothing() {
    const middle = map.project(map.getCenter());
    const ground = ["silent-fill", "told-ground"].filter((id) => map.getLayer(id));
    const whose = map.queryRenderedFeatures(middle, { layers: ground });
    const silent = whose.some((one) => one.properties.published) ? null : whose.findLast((one) => one.layer.id === "silent-fill");
    return silent ? config.words.silent.replace("{who}", said.title(silent)) : config.words.nothingInView;
  }

  map.on("idle", draw);
}
