// The legend shows and hides; what it says stands in the address, and the tiles, the map and the links follow.
import { colours } from "../map/colours.js";
import { GROUPS, tilesOf } from "../map/style.js";
import { clusterLayers, LOOK_OF, LOOKS } from "../map/themes.js";
import * as state from "./state.js";

const OWNED = ["devices", "clusters", "deployment_points", "patrol_areas", "patrol_routes"];

export function makeFilters(map, config, legend) {
  const boxes = (name) => [...legend.querySelectorAll(`input[name=${name}]`)];
  // What each layer filters by itself, before the reader narrows it.
  let own = new Map();

  function said(name) {
    const all = boxes(name);
    const chosen = all.filter((box) => box.checked).map((box) => box.value);
    return chosen.length === all.length ? null : chosen;
  }

  function fromAddress(now) {
    for (const name of ["kind", "state", "layer"]) {
      for (const box of boxes(name)) box.checked = now[name] === null || now[name].includes(box.value);
    }
    legend.elements.authority.value = now.authority;
    legend.elements.on.value = now.on;
    legend.elements.grid.checked = now.grid !== "";
  }

  function narrowed(id, more) {
    if (!map.getLayer(id)) return;
    const filters = [own.get(id), ...more].filter(Boolean);
    map.setFilter(id, filters.length ? ["all", ...filters] : null);
  }

  function apply() {
    if (!map.getLayer("device")) return;
    const kinds = boxes("kind").filter((box) => box.checked).map((box) => box.value);
    const states = boxes("state").filter((box) => box.checked).map((box) => box.value);
    // A device that is removed stands nowhere, and has no box of its own.
    const looks = said("state") === null ? LOOKS : LOOKS.filter((look) => states.some((one) => (LOOK_OF[one] ?? "off") === look));
    const authority = legend.elements.authority.value;
    const whose = authority && ["==", ["get", "authority"], authority];
    for (const [group, layers] of Object.entries(GROUPS)) {
      const box = legend.querySelector(`[name=layer][value=${group}]`);
      const shown = group === "devices" ? kinds.length > 0 && looks.length > 0 : box?.checked ?? true;
      for (const id of layers) {
        if (!map.getLayer(id)) continue;
        map.setLayoutProperty(id, "visibility", shown ? "visible" : "none");
        if (OWNED.includes(group) && group !== "devices") narrowed(id, [whose]);
      }
    }
    const ofKind = ["in", ["get", "kind"], ["literal", kinds]];
    const ofState = said("state") === null ? null : ["in", ["get", "state"], ["literal", states]];
    for (const id of ["device-chosen", "device", "device-name"]) narrowed(id, [ofKind, ofState, whose]);
    for (const layer of clusterLayers(colours(), kinds, looks)) {
      if (!map.getLayer(layer.id)) continue;
      map.setFilter(layer.id, layer.filter);
      for (const [name, value] of Object.entries(layer.layout)) map.setLayoutProperty(layer.id, name, value);
    }
    if (map.getLayer("coverage")) {
      map.setLayoutProperty("coverage", "visibility", legend.elements.grid.checked ? "visible" : "none");
    }
    tiles(authority, legend.elements.on.value);
    links();
  }

  function tiles(authority, on) {
    const before = `${config.authority ?? ""} ${config.on ?? ""}`;
    config.authority = authority || null;
    config.on = on || null;
    if (`${config.authority ?? ""} ${config.on ?? ""}` === before) return;
    for (const name of config.themes) {
      // Tiles whose address stays are not asked for again: the map may lose those that are, twice in one moment.
      const source = map.getSource(name);
      const [address] = tilesOf(name, config);
      if (source && source.tiles?.[0] !== address) source.setTiles([address]);
    }
  }

  function links() {
    const narrow = state.queryFor(["kind", "state", "authority", "on"]);
    narrow.set("layer", "devices");
    document.getElementById("to-list").href = `/list?${narrow}`;
    document.getElementById("to-print").href = `/print?${state.queryFor(["kind", "state", "layer", "authority", "on"])}${location.hash}`;
    const now = state.read();
    document.getElementById("show-all").hidden = !(now.kind || now.state || now.layer || now.authority);
  }

  legend.addEventListener("change", (event) => {
    const { name } = event.target;
    if (name === "on") state.write({ on: event.target.validity.valid ? event.target.value : "" });
    else if (name === "grid") state.write({ grid: event.target.checked ? event.target.value : "" });
    else if (name === "authority") state.write({ authority: event.target.value });
    else state.write({ [name]: said(name) });
    apply();
  });
  document.getElementById("show-all").addEventListener("click", (event) => {
    event.preventDefault();
    state.write({ kind: null, state: null, layer: null, authority: "" });
    fromAddress(state.read());
    apply();
  });
  state.follow((now) => {
    fromAddress(now);
    apply();
  });
  map.on("style.load", () => {
    own = new Map(map.getStyle().layers.map((layer) => [layer.id, layer.filter]));
    apply();
  });
  map.on("moveend", links);
  fromAddress(state.read());
}
