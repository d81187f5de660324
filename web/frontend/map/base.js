// The base: land, water, roads and names from the district's own vectors, or pictures from elsewhere under a veil.
// Two greys, one blue and one green; the themes speak.
const FONTS = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];

const byZoom = (...stops) => ["interpolate", ["exponential", 1.5], ["zoom"], ...stops];
const kind = (...names) => ["in", ["get", "kind"], ["literal", names]];
const isArea = ["==", ["geometry-type"], "Polygon"];
const isLine = ["==", ["geometry-type"], "LineString"];
const rank = ["coalesce", ["get", "rank"], 3];

export const textFont = FONTS;

export function baseName(lang) {
  return ["coalesce", ["get", `name_${lang}`], ["get", "name_en"], ["get", "name_zh"], ""];
}

function at(id, type, filter, paint, more = {}) {
  return { id, type, source: "basemap", "source-layer": "basemap", filter, paint, ...more };
}

const round = { layout: { "line-cap": "round", "line-join": "round" } };

// What lies flat below the themes.
export function ground(colour) {
  const edge = byZoom(10, ["case", ["<=", rank, 0], 2.2, ["<=", rank, 1], 1.4, 0.5],
    13, ["case", ["<=", rank, 0], 5, ["<=", rank, 1], 3.6, 2], 17, ["case", ["<=", rank, 0], 24, ["<=", rank, 1], 18, 10]);
  const road = byZoom(10, ["case", ["<=", rank, 0], 1.2, ["<=", rank, 1], 0.7, 0.2],
    13, ["case", ["<=", rank, 0], 3.4, ["<=", rank, 1], 2.2, 1.1], 17, ["case", ["<=", rank, 0], 21, ["<=", rank, 1], 15.5, 8]);
  return [
    { id: "land", type: "background", paint: { "background-color": colour("map-land") } },
    at("green", "fill", kind("green", "forest", "farmland"), { "fill-color": colour("map-green") }),
    at("urban", "fill", kind("land", "urban", "industrial", "residential"), { "fill-color": colour("map-urban") }),
    at("park", "fill", kind("park"), { "fill-color": colour("map-green") }),
    at("water", "fill", ["all", kind("water"), isArea], { "fill-color": colour("map-water") }),
    at("shore", "line", ["all", kind("water"), isArea], {
      "line-color": colour("map-shore"), "line-width": byZoom(10, 0.4, 16, 1.2),
    }),
    at("stream", "line", ["all", kind("water", "stream", "river"), isLine], {
      "line-color": colour("map-water"), "line-width": byZoom(10, 1, 16, 6),
    }, round),
    at("building", "fill", kind("building"), {
      "fill-color": colour("map-building"), "fill-opacity": byZoom(12.5, 0, 13.5, 1),
    }, { minzoom: 12.5 }),
    at("building-edge", "line", kind("building"), { "line-color": colour("map-building-edge"), "line-width": 0.6 }, { minzoom: 15 }),
    at("road-edge", "line", kind("road"), { "line-color": colour("map-road-edge"), "line-width": edge }, round),
    at("road", "line", kind("road"), { "line-color": colour("map-road"), "line-width": road }, round),
    at("boundary", "line", kind("boundary"), {
      "line-color": colour("line-strong"), "line-width": 1.2, "line-dasharray": [5, 2, 1, 2],
    }),
  ];
}

// Where a name may stand: upon its place, else beside it where there is room, as near as can be; distances in its height.
const around = (...distances) => [
  "center", [0, 0],
  ...distances.flatMap((far) => [
    "bottom", [0, -far], "top", [0, far], "left", [far, 0], "right", [-far, 0],
    ...[["bottom", -0.7], ["top", 0.7]].flatMap(([side, up]) => [`${side}-left`, [0.7 * far, up * far], `${side}-right`, [-0.7 * far, up * far]]),
  ]),
];

// Names lie above areas and zones, and give way to what watches.
export function names(colour, lang) {
  const name = baseName(lang);
  const halo = { "text-halo-color": colour("map-halo"), "text-halo-width": 2, "text-halo-blur": 0.3 };
  const spaced = lang === "zh" ? 0.04 : 0.02;
  return [
    at("road-name", "symbol", ["all", kind("road"), ["!=", name, ""]], { "text-color": colour("map-label"), ...halo }, {
      minzoom: 13,
      layout: {
        "symbol-placement": "line", "text-field": name, "text-font": FONTS, "symbol-spacing": 360,
        "text-size": byZoom(13, 10.5, 17, 13), "text-letter-spacing": spaced, "symbol-sort-key": rank,
      },
    }),
    at("water-name", "symbol", ["all", kind("water", "river"), ["!=", name, ""]], {
      "text-color": colour("map-water-label"), ...halo, "text-halo-color": colour("map-water"),
    }, {
      minzoom: 11,
      layout: {
        "text-field": name, "text-font": FONTS, "text-size": byZoom(11, 10.5, 16, 13), "text-max-width": 6,
        "text-letter-spacing": 0.06, "text-padding": 12,
      },
    }),
    at("place-name", "symbol", ["all", kind("place", "town", "village"), [">", rank, 0], ["!=", name, ""]], {
      "text-color": colour("map-label"), ...halo,
    }, {
      layout: {
        "text-field": name, "text-font": FONTS, "text-padding": 4, "symbol-sort-key": rank, "text-max-width": 9,
        "text-size": byZoom(9, 11, 15, ["case", ["<=", rank, 1], 15, 13.5]), "text-letter-spacing": spaced,
        "text-variable-anchor-offset": around(0.5, 1), "text-justify": "auto",
      },
    }),
    // The town itself is always named: whoever looks for the way looks for it first. It goes as far as it must to be read,
    // and lies upon something only where no room is.
    at("town-name", "symbol", ["all", kind("place", "town"), ["<=", rank, 0], ["!=", name, ""]], { "text-color": colour("ink"), ...halo }, {
      layout: {
        "text-field": name, "text-font": FONTS, "text-size": byZoom(9, 13, 15, 22), "text-letter-spacing": 0.05,
        "text-overlap": "always", "text-max-width": 9, "text-variable-anchor-offset": around(0.4, 1.2, 2, 2.8, 3.6, 4.6, 5.6), "text-justify": "auto",
      },
    }),
  ];
}

// Pictures from elsewhere are made quiet by a veil of our own paper, so that symbols and text keep their contrast.
export function pictures(colour) {
  return [
    { id: "land", type: "background", paint: { "background-color": colour("map-land") } },
    { id: "pictures", type: "raster", source: "pictures", paint: { "raster-saturation": -0.55, "raster-fade-duration": 0 } },
    { id: "veil", type: "background", paint: { "background-color": colour("map-land"), "background-opacity": 0.35 } },
  ];
}
