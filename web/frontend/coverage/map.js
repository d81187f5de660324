// The map of a study: how often ground is seen, what nobody sees, the devices, and the gap or device that is chosen.
import { colours } from "../map/colours.js";
import { boundsOf, makeMap, readConfig } from "../map/map.js";
import { gapHatch, planned } from "./pictures.js";
import { startWhatIf } from "./what_if.js";

export const EMPTY = { type: "FeatureCollection", features: [] };
export const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const narrow = matchMedia("(max-width: 860px)");
// From here on the views of single devices can be told apart.
export const VIEWS_FROM = 13;
const LOOKS = { active: "on", published: "soon", blocked: "stop" };

// Which layers of the style a line of the legend shows and hides.
const GROUPS = {
  "seen-1": ["seen-1"], "seen-2": ["seen-2"], "seen-3": ["seen-3"],
  gap: ["gap-ground", "gap-hatch"],
  devices: ["device-dot", "device-symbol"],
  views: ["view-fill", "view-edge"],
  zones: ["zone-fill", "zone-edge"],
};

const geojson = (data, more = {}) => ({ type: "geojson", data: data ?? EMPTY, ...more });

function tiles(config, layer) {
  return { type: "vector", tiles: [`${location.origin}${config.tiles.replace("{layer}", layer)}`], minzoom: 0, maxzoom: 16 };
}

function layersOf(config) {
  return (colour) => {
    const symbol = ["match", ["get", "status"], ...Object.entries(LOOKS).flat(), "on"];
    const chosen = ["boolean", ["feature-state", "chosen"], false];
    const sources = {
      ground: geojson(config.ground), chosen: geojson(), devices: geojson(null, { promoteId: "key" }), views: geojson(),
      changed: geojson(null, { promoteId: "key" }), handle: geojson(),
    };
    const fill = (id, source, name, opacity, more = {}) => ({
      id, type: "fill", source, paint: { "fill-color": colour(name), "fill-opacity": opacity, "fill-antialias": false }, ...more,
    });
    const line = (id, source, name, width, more = {}, paint = {}) => ({
      id, type: "line", source, paint: { "line-color": colour(name), "line-width": width, ...paint }, ...more,
    });
    const layers = [];
    if (config.answered) {
      sources.gap = tiles(config, "gap");
      sources.seen = tiles(config, "seen");
      // What is seen more often lies above what is seen once: the tone grows darker by itself.
      for (const [times, opacity] of [[1, 0.22], [2, 0.26], [3, 0.34]]) {
        layers.push(fill(`seen-${times}`, "seen", "patrol", opacity, { "source-layer": "seen", filter: ["==", ["get", "times"], times] }));
      }
      layers.push(
        fill("gap-ground", "gap", "state-stop", 0.1, { "source-layer": "gap" }),
        { id: "gap-hatch", type: "fill", source: "gap", "source-layer": "gap", paint: { "fill-pattern": "gap-hatch", "fill-antialias": false } },
      );
    }
    layers.push(
      line("ground-edge", "ground", "ink", 2, {}, { "line-dasharray": [3, 1.5] }),
      fill("view-fill", "views", "accent", 0.05),
      line("view-edge", "views", "accent", 1),
      { ...fill("changed-fill", "changed", "state-soon", 0.32), filter: ["==", ["get", "part"], "sees"] },
      { ...line("changed-edge", "changed", "ink", 1.5), filter: ["==", ["get", "part"], "view"] },
      { ...line("was-edge", "changed", "ink-2", 1.5, {}, { "line-dasharray": [2, 2] }), filter: ["==", ["get", "part"], "was"] },
      { id: "chosen-gap", type: "circle", source: "chosen", paint: { "circle-radius": 22, "circle-opacity": 0, "circle-stroke-color": colour("ink"), "circle-stroke-width": 3 } },
      { id: "device-dot", type: "circle", source: "devices", maxzoom: 12, paint: {
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 8, 1.5, 12, 4], "circle-color": colour("accent"),
        "circle-stroke-color": colour("surface"), "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 8, 0, 12, 1],
      } },
      { id: "device-chosen", type: "circle", source: "devices", paint: {
        "circle-radius": 17, "circle-color": colour("accent"), "circle-opacity": ["case", chosen, 0.22, 0],
        "circle-stroke-color": colour("accent"), "circle-stroke-width": ["case", chosen, 2.5, 0],
      } },
      { id: "device-symbol", type: "symbol", source: "devices", minzoom: 12, layout: {
        "icon-image": ["case", ["==", ["get", "status"], "planned"], "planned", ["concat", "device-", ["get", "kind"], "-", symbol]],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 12, 0.7, 16, 1], "icon-allow-overlap": true,
      } },
      { id: "changed-point", type: "circle", source: "changed", filter: ["==", ["get", "part"], "place"], paint: {
        "circle-radius": 10, "circle-color": colour("state-soon"), "circle-stroke-color": colour("ink"), "circle-stroke-width": ["case", chosen, 3.5, 1.5],
      } },
      { ...line("handle-line", "handle", "ink", 2), filter: ["==", ["geometry-type"], "LineString"] },
      { id: "handle-grip", type: "circle", source: "handle", filter: ["==", ["geometry-type"], "Point"], paint: {
        "circle-radius": 9, "circle-color": colour("surface"), "circle-stroke-color": colour("ink"), "circle-stroke-width": 3,
      } },
    );
    return { sources, layers };
  };
}

function legend(map, element) {
  const boxes = [...element.querySelectorAll("[data-layer]")];
  const apply = () => {
    for (const box of boxes) {
      for (const id of GROUPS[box.dataset.layer] ?? []) {
        if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", box.checked ? "visible" : "none");
      }
    }
  };
  for (const box of boxes) box.addEventListener("change", apply);
  map.on("style.load", apply);
}

// Names of places stay legible: what is seen and what is not lies below them, where the base map is our own.
function below(map) {
  map.on("style.load", () => {
    if (!map.getLayer("road-name")) return;
    for (const id of ["seen-1", "seen-2", "seen-3", "gap-ground", "gap-hatch", "ground-edge"]) {
      if (map.getLayer(id)) map.moveLayer(id, "road-name");
    }
  });
}

// Pictures of our own, put in before any layer asks for them, and anew with every style.
function pictures(map) {
  map.on("styledata", () => {
    const colour = colours();
    if (!map.hasImage("gap-hatch")) map.addImage("gap-hatch", gapHatch(colour("state-stop")), { pixelRatio: 2 });
    if (!map.hasImage("planned")) map.addImage("planned", planned(colour), { pixelRatio: 2 });
  });
}

export function toMap(element) {
  if (narrow.matches) element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "center" });
}

// The list of gaps and the map are one thing, and the address says which gap it is.
function gaps(map, element) {
  const buttons = [...document.querySelectorAll("[data-gap]")];
  const choose = (button, { move = true } = {}) => {
    const at = button.dataset.at.split(",").map(Number);
    for (const each of buttons) {
      if (each === button) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    map.getSource("chosen")?.setData({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } });
    if (move) map.easeTo({ center: at, zoom: Math.max(map.getZoom(), 14), animate: !still });
    history.replaceState(null, "", `#gap-${button.dataset.gap}`);
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      choose(button);
      toMap(element);
    });
  }
  const named = location.hash.match(/^#gap-(\d+)$/)?.[1];
  const first = named && buttons.find((each) => each.dataset.gap === named);
  if (first) choose(first);
}

export function startMap(element) {
  const config = readConfig(element);
  const map = makeMap(element, config, layersOf(config));
  pictures(map);
  below(map);
  legend(map, element);
  map.once("load", () => {
    if (config.ground) map.fitBounds(boundsOf(config.ground.geometry), { padding: 32, animate: false });
    gaps(map, element);
    if (config.answered) startWhatIf(map, element, config);
  });
}
