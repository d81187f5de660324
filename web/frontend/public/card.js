// The card of what is selected: fetched from its own page, shown beside its symbol, held in the address.
import { htmx } from "../entries/app.js";
import { boundsOf, maplibregl } from "../map/map.js";
import * as state from "./state.js";

// A group holds the devices of a cell of so many pixels, which is to fill the view.
const CELL_PX = 64;
const narrow = matchMedia("(max-width: 860px)");

export function makeCard(map, config, said) {
  let popup = null;
  let chosen = null;
  let opener = null;
  // The last thing that was asked for is what is shown, whichever answer comes last.
  let asked = 0;

  function feature(source, id, value) {
    if (map.getSource(source)) map.setFeatureState({ source, sourceLayer: source, id }, { chosen: value });
  }

  function mark(source, id) {
    if (chosen) feature(chosen.source, chosen.id, false);
    chosen = id ? { source, id } : null;
    if (chosen) feature(source, id, true);
    for (const item of document.querySelectorAll("#in-view [data-id]")) {
      item.setAttribute("aria-current", String(item.dataset.id === id));
    }
  }

  function close() {
    asked += 1;
    const open = popup;
    popup = null;
    open?.remove();
  }

  function openAt(place, content) {
    close();
    opener = document.activeElement === document.body ? null : document.activeElement;
    popup = new maplibregl.Popup({ maxWidth: "380px", offset: 16, focusAfterOpen: false, closeOnClick: false })
      .setLngLat(place)
      .setDOMContent(content)
      .addTo(map);
    const opened = popup;
    popup.on("close", () => {
      mark(null, null);
      // Closed by the reader, not replaced by the next one: where one came from, one goes on.
      if (popup !== opened) return;
      popup = null;
      state.write({ sel: "" });
      if (opener?.isConnected) opener.focus({ preventScroll: true });
    });
    const head = content.querySelector("h1, h2");
    head?.setAttribute("tabindex", "-1");
    head?.focus({ preventScroll: true });
  }

  // Room for the card below what is shown; on a phone the card is a sheet over the lower part.
  const room = () => ({ top: 60, left: 60, right: 60, bottom: Math.min(360, map.getContainer().clientHeight / 2) });

  // A card that reaches beyond the map cannot be read to its end: the map moves until it is inside. On a phone the card
  // is a sheet of its own.
  function keepInside() {
    if (!popup || narrow.matches) return;
    const card = popup.getElement().getBoundingClientRect();
    const all = map.getContainer().getBoundingClientRect();
    const beyond = (low, high) => Math.min(0, card[low] - all[low] - 8) || Math.max(0, card[high] - all[high] + 8);
    const by = [beyond("left", "right"), beyond("top", "bottom")];
    if (by[0] || by[1]) map.panBy(by, { duration: 300 });
  }

  async function show(path, place, { push = true } = {}) {
    const content = document.createElement("div");
    asked += 1;
    const mine = asked;
    await htmx.ajax("GET", path, { target: content, select: "#card", swap: "innerHTML" });
    const card = content.querySelector("#card");
    if (!card || mine !== asked) return;
    const where = place ?? JSON.parse(card.dataset.place);
    openAt(where, content);
    mark(card.dataset.layer, card.dataset.id);
    if (push) state.write({ sel: `${config.paths[card.dataset.layer].slice(1)}/${card.dataset.id}` });
    const shape = card.dataset.shape && JSON.parse(card.dataset.shape);
    if (!place && shape) {
      map.once("moveend", keepInside);
      map.fitBounds(boundsOf(shape), { padding: room(), maxZoom: 15.5, duration: 500 });
    } else if (narrow.matches) map.easeTo({ center: where, duration: 300 });
    else keepInside();
  }

  const pathOf = (one) => `${config.paths[said.layerOf(one)]}/${encodeURIComponent(one.properties.public_id)}`;

  // A group of devices opens by coming closer; no zoom parts what stands on one spot, so that is listed.
  function open(one, place = null) {
    if (!said.isGroup(one)) return show(pathOf(one), place);
    close();
    const { clientWidth, clientHeight } = map.getContainer();
    const closer = map.getZoom() + Math.max(1.5, Math.log2((0.55 * Math.min(clientWidth, clientHeight)) / CELL_PX));
    // Just short of single devices is no place to stop.
    const zoom = closer > config.singleFrom - 0.6 ? config.singleFrom + 0.2 : closer;
    return map.easeTo({ center: one.geometry.coordinates, zoom, duration: 500 });
  }

  function choose(features, place) {
    const list = document.createElement("ul");
    list.className = "results";
    for (const one of features) list.append(said.row(one, () => open(one, place)));
    const content = document.createElement("div");
    const head = document.createElement("h2");
    head.textContent = config.words.several.replace("{n}", features.length);
    content.append(head, list);
    openAt(place, content);
  }

  function fromAddress() {
    const [branch, id] = state.read().sel.split("/");
    if (id && Object.values(config.paths).includes(`/${branch}`)) show(`/${branch}/${encodeURIComponent(id)}`, null, { push: false });
    else close();
  }

  state.follow((_now, { moved }) => moved && fromAddress());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && popup) popup.remove();
  });
  return {
    show, open, choose, close, fromAddress,
    remark: () => chosen && mark(chosen.source, chosen.id),
  };
}
