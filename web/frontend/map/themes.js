// The themes: what watches, where it patrols, what is protected, and where nobody has said anything.
import { textFont } from "./base.js";

export const LOOK_OF = {
  active: "on", effective: "on", in_notice_period: "soon", maintenance: "pause", out_of_use: "stop", suspended: "stop",
};
export const LOOKS = ["on", "soon", "pause", "stop", "off"];
const KINDS = ["video", "radar", "water_quality", "air", "noise", "satellite_ref", "drone"];

const LOOK = ["match", ["get", "state"], ...Object.entries(LOOK_OF).flat(), "off"];
const inForce = ["==", ["get", "state"], "effective"];
const chosen = ["boolean", ["feature-state", "chosen"], false];
const title = (lang) => ["coalesce", ["get", `title_${lang}`], ["get", "title_en"], ["get", "title_zh"], ""];
// The note that all of a sample district is made up stands above every page; on a map it would drown the names.
const plain = (lang) => {
  const said = title(lang);
  const note = lang === "zh" ? "（虚构）" : " (fictional)";
  return ["let", "s", said, ["case", ["in", note, ["var", "s"]], ["slice", ["var", "s"], 0, ["index-of", note, ["var", "s"]]], ["var", "s"]]];
};

const at = (layer, id, type, paint, more = {}) => ({ id, type, source: layer, "source-layer": layer, paint, ...more });
const halo = (colour) => ({ "text-halo-color": colour("map-halo"), "text-halo-width": 1.8 });

function symbols(colour, layer, id, from = 0) {
  return [
    at(layer, `${id}-chosen`, "circle", {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 10, 13, 16, 20],
      "circle-color": colour("accent"), "circle-opacity": ["case", chosen, 0.22, 0],
      "circle-stroke-color": colour("accent"), "circle-stroke-width": ["case", chosen, 2.5, 0],
    }, { minzoom: from }),
    at(layer, id, "symbol", {}, {
      minzoom: from,
      layout: {
        "icon-image": ["concat", "device-", ["get", "kind"], "-", LOOK],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 10, 0.62, 13, 0.85, 16, 1.15],
        "icon-allow-overlap": true,
        "symbol-sort-key": ["match", ["get", "state"], ["active", "effective"], 2, "in_notice_period", 1, 0],
      },
    }),
  ];
}

// Names of devices from near, where there is room for them.
const deviceNames = (colour, lang) => at("devices", "device-name", "symbol", { "text-color": colour("ink"), ...halo(colour) }, {
  minzoom: 15.5,
  layout: {
    "text-field": plain(lang), "text-font": textFont, "text-size": 12, "text-max-width": 10,
    "text-variable-anchor": ["top", "bottom", "right", "left"], "text-radial-offset": 1.15, "text-justify": "auto", "text-optional": true,
  },
});

// How many devices of some kinds and looks lie in a cell.
export function counted(kinds, looks) {
  const words = kinds.flatMap((kind) => looks.map((look) => `${kind}_${look}`));
  return words.length ? ["+", 0, ...words.map((word) => ["coalesce", ["get", word], 0])] : 0;
}

// A cell of several devices: a ring that shows by its parts in which state they are, and their number inside.
export function clusterLayers(colour, kinds = KINDS, looks = LOOKS) {
  const n = counted(kinds, looks);
  const twelfths = looks.map((look) => [look, ["round", ["/", ["*", 12, counted(kinds, [look])], ["max", 1, n]]]]);
  const ring = ["concat", "ring", ...LOOKS.flatMap((look) => ["-", ["to-string", Object.fromEntries(twelfths)[look] ?? 0]])];
  const alone = ["==", ["get", "n"], 1];
  const scale = ["interpolate", ["linear"], ["log10", ["max", 1, n]], 0, 0.72, 1, 0.82, 2, 1, 3, 1.25, 4, 1.5];
  const single = ["concat", "device-", ["coalesce", ["get", "kind"], "video"], "-", LOOK];
  return [
    at("clusters", "cluster-one", "symbol", {}, {
      filter: ["all", alone, [">", n, 0]],
      layout: {
        "icon-image": single, "icon-allow-overlap": true,
        "icon-size": ["interpolate", ["linear"], ["zoom"], 8, 0.62, 12, 0.8],
      },
    }),
    at("clusters", "cluster", "symbol", { "text-color": colour("ink") }, {
      filter: ["all", ["!", alone], [">", n, 0]],
      layout: {
        "icon-image": ring, "icon-size": scale, "icon-allow-overlap": true,
        "text-field": ["case", [">=", n, 10000], ["concat", ["to-string", ["round", ["/", n, 1000]]], "k"],
          [">=", n, 1000], ["concat", ["to-string", ["/", ["round", ["/", n, 100]], 10]], "k"], ["to-string", n]],
        "text-font": textFont, "text-size": ["interpolate", ["linear"], ["log10", ["max", 1, n]], 0, 11, 2, 12.5, 4, 15],
        "text-allow-overlap": true, "symbol-sort-key": n,
      },
    }),
  ];
}

// Ground of an authority that has published nothing: an empty map says nothing there. Where another authority has
// published, its ground covers the hatching again.
export function silence(colour, { covers }) {
  const silent = ["!", ["boolean", ["get", "published"], true]];
  const cover = at("authorities", "told-ground", "fill", { "fill-color": colour("map-land") }, { filter: ["!", silent] });
  return [
    at("authorities", "silent-fill", "fill", { "fill-pattern": "nothing" }, { filter: covers ? silent : ["all", silent, local] }),
    ...(covers ? [cover] : []),
  ];
}

// Over pictures nothing can be covered again: there the ground of a province, which holds all districts, is not hatched.
const local = ["in", ["get", "level"], ["literal", ["county", "township"]]];

// Edges and names are those of districts of whose ground nobody else has published anything.
function silentNames(colour, lang, words, ids) {
  const silent = ["in", ["get", "public_id"], ["literal", ids]];
  const [before, after] = (words.silentLabel ?? "{who}").split("{who}");
  return [
    at("authorities", "silent-edge", "line", {
      "line-color": colour("line-strong"), "line-width": 1.2, "line-dasharray": [5, 3],
    }, { filter: silent }),
    at("authorities", "silent-name", "symbol", { "text-color": colour("map-label"), ...halo(colour) }, {
      filter: silent, minzoom: 9, maxzoom: 14.5,
      layout: {
        "text-field": ["concat", before, plain(lang), after], "text-font": textFont, "text-size": 12, "text-max-width": 12,
        "text-padding": 60,
      },
    }),
  ];
}

// What lies flat: areas, zones, ground of which nothing is known.
export function flat(colour, lang, words, silent = []) {
  return [
    ...silentNames(colour, lang, words, silent),
    at("patrol_areas", "area-fill", "fill", { "fill-color": colour("patrol"), "fill-opacity": ["case", chosen, 0.14, 0.05] }),
    // A band inside the edge says on which side of it the area lies, as on maps of countries.
    at("patrol_areas", "area-band", "line", {
      "line-color": colour("patrol"), "line-opacity": 0.13, "line-offset": ["interpolate", ["linear"], ["zoom"], 11, 1.2, 15, 4],
      "line-width": ["interpolate", ["linear"], ["zoom"], 11, 2.4, 15, 8],
    }),
    at("patrol_areas", "area-edge", "line", { "line-color": colour("patrol"), "line-width": ["case", chosen, 3, 1.4] }, { filter: inForce }),
    at("patrol_areas", "area-edge-soon", "line", {
      "line-color": colour("patrol"), "line-width": ["case", chosen, 3, 1.4], "line-dasharray": [4, 2.5],
    }, { filter: ["!", inForce] }),
    // Cells that several devices reach: they tell no device, no direction and no range, and show only where asked for.
    at("coverage", "coverage", "fill", {
      "fill-color": colour("accent"), "fill-antialias": false, "fill-opacity": ["step", ["get", "at_least"], 0.14, 10, 0.26],
    }, { layout: { visibility: "none" } }),
    at("privacy_zones", "zone-fill", "fill", { "fill-pattern": "hatch" }),
    at("privacy_zones", "zone-edge", "line", { "line-color": colour("zone"), "line-width": ["case", chosen, 3.5, 1.4] }),
  ];
}

// What stands on it: routes with their direction, names of areas and routes, symbols.
export function standing(colour, lang, { devicesFrom = 0 } = {}) {
  const named = (layer, id, ink, more) => at(layer, id, "symbol", { "text-color": ink, ...halo(colour) }, {
    minzoom: 11.5,
    layout: {
      "symbol-placement": "line", "text-field": plain(lang), "text-font": textFont, "text-size": 11.5, "symbol-spacing": 420,
      "text-letter-spacing": 0.03, "text-padding": 8, ...more,
    },
  });
  return [
    at("patrol_routes", "route-halo", "line", { "line-color": colour("map-halo"), "line-width": 6, "line-opacity": 0.8 }, {
      layout: { "line-cap": "round", "line-join": "round" },
    }),
    at("patrol_routes", "route", "line", { "line-color": colour("patrol"), "line-width": ["case", chosen, 5, 2.4] }, {
      filter: inForce, layout: { "line-cap": "round", "line-join": "round" },
    }),
    at("patrol_routes", "route-soon", "line", {
      "line-color": colour("patrol"), "line-width": ["case", chosen, 5, 2.4], "line-dasharray": [2, 1.6],
    }, { filter: ["!", inForce], layout: { "line-join": "round" } }),
    named("patrol_areas", "area-name", colour("patrol-label"), { "text-offset": [0, 1] }),
    at("patrol_routes", "route-arrow", "symbol", {}, {
      layout: { "symbol-placement": "line", "symbol-spacing": 110, "icon-image": "arrow", "icon-allow-overlap": true },
    }),
    named("patrol_routes", "route-name", colour("patrol-label"), { "text-offset": [0, -0.9] }),
    ...symbols(colour, "deployment_points", "point"),
    ...clusterLayers(colour),
    deviceNames(colour, lang),
    ...symbols(colour, "devices", "device", devicesFrom),
  ];
}
