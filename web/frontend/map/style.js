// The style: a quiet base of our own vectors, themes on top. Nothing here names another host.
const FONTS = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];

const tiles = (name, config) => ({
  type: "vector",
  tiles: [`${location.origin}/tiles/${name}/{z}/{x}/{y}.mvt?v=${config.version}`],
  minzoom: 0,
  maxzoom: config.tileMaxZoom,
  promoteId: "public_id",
});

const byZoom = (...stops) => ["interpolate", ["exponential", 1.4], ["zoom"], ...stops];
const kind = (...names) => ["in", ["get", "kind"], ["literal", names]];

function base(colour, lang) {
  const layer = (id, type, filter, paint, more = {}) => ({
    id, type, source: "basemap", "source-layer": "basemap", filter, paint, ...more,
  });
  const name = ["coalesce", ["get", `name_${lang}`], ["get", "name_en"], ["get", "name_zh"], ""];
  const label = { "text-color": colour("map-label"), "text-halo-color": colour("map-halo"), "text-halo-width": 1.4 };
  return [
    { id: "land", type: "background", paint: { "background-color": colour("map-land") } },
    layer("urban", "fill", kind("land", "urban", "industrial", "residential"), { "fill-color": colour("map-urban") }),
    layer("green", "fill", kind("green", "forest", "park", "farmland"), { "fill-color": colour("map-green") }),
    layer("water", "fill", ["all", kind("water"), ["==", ["geometry-type"], "Polygon"]], { "fill-color": colour("map-water") }),
    layer("stream", "line", ["all", kind("water", "stream", "river"), ["==", ["geometry-type"], "LineString"]], {
      "line-color": colour("map-water"), "line-width": byZoom(10, 1, 16, 6),
    }),
    layer("building", "fill", kind("building"), { "fill-color": colour("map-building") }, { minzoom: 13 }),
    layer("road-edge", "line", kind("road"), {
      "line-color": colour("map-road-edge"), "line-width": byZoom(10, 1.2, 13, 3, 17, ["case", ["<=", ["get", "rank"], 1], 18, 10]),
    }, { layout: { "line-cap": "round", "line-join": "round" } }),
    layer("road", "line", kind("road"), {
      "line-color": colour("map-road"), "line-width": byZoom(10, 0.6, 13, 1.8, 17, ["case", ["<=", ["get", "rank"], 1], 15, 8]),
    }, { layout: { "line-cap": "round", "line-join": "round" } }),
    layer("boundary", "line", kind("boundary"), {
      "line-color": colour("line-strong"), "line-width": 1.4, "line-dasharray": [4, 2],
    }),
    layer("road-name", "symbol", ["all", kind("road"), ["!=", name, ""]], label, {
      minzoom: 14,
      layout: { "symbol-placement": "line", "text-field": name, "text-font": FONTS, "text-size": 11, "symbol-spacing": 320 },
    }),
    layer("place-name", "symbol", ["all", kind("place", "town", "village"), ["!=", name, ""]], label, {
      layout: {
        "text-field": name, "text-font": FONTS, "text-size": ["case", ["<=", ["get", "rank"], 0], 14, 12],
        "text-padding": 6, "symbol-sort-key": ["get", "rank"], "text-max-width": 8,
      },
    }),
    layer("water-name", "symbol", ["all", kind("water", "river"), ["!=", name, ""]], label, {
      minzoom: 12, layout: { "text-field": name, "text-font": FONTS, "text-size": 11, "text-max-width": 6 },
    }),
  ];
}

const LOOK = [
  "match", ["get", "state"],
  ["active", "effective"], "on", "in_notice_period", "soon", "maintenance", "pause", ["out_of_use", "suspended"], "stop", "off",
];

function themes(colour) {
  const at = (layer, id, type, paint, more = {}) => ({ id, type, source: layer, "source-layer": layer, paint, ...more });
  const notYet = ["!", kind_state("effective")];
  const chosen = ["boolean", ["feature-state", "chosen"], false];
  const symbols = (layer, id) => [
    at(layer, `${id}-chosen`, "circle", {
      "circle-radius": 18, "circle-color": colour("accent"), "circle-opacity": ["case", chosen, 0.25, 0],
      "circle-stroke-color": colour("accent"), "circle-stroke-width": ["case", chosen, 2, 0],
    }),
    at(layer, id, "symbol", {}, {
      layout: {
        "icon-image": ["concat", "device-", ["get", "kind"], "-", LOOK],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 10, 0.6, 13, 0.85, 16, 1.1],
        "icon-allow-overlap": true,
        "symbol-sort-key": ["match", ["get", "state"], ["active", "effective"], 2, "in_notice_period", 1, 0],
      },
    }),
  ];
  return [
    at("patrol_areas", "area-fill", "fill", { "fill-color": colour("patrol"), "fill-opacity": ["case", chosen, 0.16, 0.06] }),
    at("patrol_areas", "area-edge", "line", { "line-color": colour("patrol"), "line-width": ["case", chosen, 3, 1.6] }, {
      filter: kind_state("effective"),
    }),
    at("patrol_areas", "area-edge-soon", "line", {
      "line-color": colour("patrol"), "line-width": ["case", chosen, 3, 1.6], "line-dasharray": [3, 2],
    }, { filter: notYet }),
    at("privacy_zones", "zone-fill", "fill", { "fill-pattern": "hatch" }),
    at("privacy_zones", "zone-edge", "line", { "line-color": colour("zone"), "line-width": ["case", chosen, 3.5, 1.6] }),
    at("patrol_routes", "route-halo", "line", { "line-color": colour("map-halo"), "line-width": 6, "line-opacity": 0.8 }),
    at("patrol_routes", "route", "line", { "line-color": colour("patrol"), "line-width": ["case", chosen, 5, 2.6] }, {
      filter: kind_state("effective"), layout: { "line-cap": "round", "line-join": "round" },
    }),
    at("patrol_routes", "route-soon", "line", {
      "line-color": colour("patrol"), "line-width": ["case", chosen, 5, 2.6], "line-dasharray": [2, 1.6],
    }, { filter: notYet, layout: { "line-join": "round" } }),
    at("patrol_routes", "route-arrow", "symbol", {}, {
      layout: { "symbol-placement": "line", "symbol-spacing": 90, "icon-image": "arrow", "icon-allow-overlap": true },
    }),
    ...symbols("deployment_points", "point"),
    ...symbols("devices", "device"),
  ];
}

function kind_state(state) {
  return ["==", ["get", "state"], state];
}

// Which layers of the style belong to a public layer: the legend shows and hides them together.
export const GROUPS = {
  devices: ["device-chosen", "device"],
  deployment_points: ["point-chosen", "point"],
  patrol_routes: ["route-halo", "route", "route-soon", "route-arrow"],
  patrol_areas: ["area-fill", "area-edge", "area-edge-soon"],
  privacy_zones: ["zone-fill", "zone-edge"],
};

// What a finger can hit, the smallest things first.
export const TOUCHABLE = ["device", "point", "route", "route-soon", "zone-fill", "area-fill"];

export function style(config, colour) {
  const names = ["basemap", ...(config.themes ?? [])];
  const sources = Object.fromEntries(names.map((name) => [name, tiles(name, config)]));
  const layers = [...base(colour, config.lang), ...themes(colour)].filter((layer) => !layer.source || sources[layer.source]);
  return { version: 8, sources, layers };
}
