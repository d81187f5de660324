// Several devices on one spot, which no zoom parts, carry a badge with their number; a click lists them.
const FROM = 12;
// From far, only what stands on the very same spot; from near, what no finger could part.
const sameSpotPx = (zoom) => (zoom < 15 ? 1.5 : 9);

export const stackLayers = (data) => ({
  sources: { stacks: { type: "geojson", data } },
  layers: [{
    id: "stack", type: "symbol", source: "stacks", minzoom: FROM,
    layout: {
      "icon-image": ["concat", "badge-", ["to-string", ["get", "n"]]], "icon-offset": [9, -9],
      "icon-allow-overlap": true, "icon-ignore-placement": true,
    },
  }],
});

export function followStacks(map, data) {
  let drawn = "";
  map.on("idle", () => {
    const spots = new Map();
    if (map.getZoom() >= FROM) {
      const seen = new Set();
      for (const one of map.queryRenderedFeatures({ layers: ["device", "point"].filter((id) => map.getLayer(id)) })) {
        if (seen.has(one.properties.public_id)) continue;
        seen.add(one.properties.public_id);
        const at = map.project(one.geometry.coordinates);
        const key = spotNear(spots, at, sameSpotPx(map.getZoom())) ?? `${at.x} ${at.y}`;
        const spot = spots.get(key) ?? { at, place: one.geometry.coordinates, n: 0 };
        spot.n += 1 + (one.properties.more ?? 0);
        spots.set(key, spot);
      }
    }
    const features = [...spots.values()].filter((spot) => spot.n > 1).map((spot) => ({
      type: "Feature", properties: { n: spot.n }, geometry: { type: "Point", coordinates: spot.place },
    }));
    const key = JSON.stringify(features);
    if (key === drawn) return;
    drawn = key;
    data.features = features;
    map.getSource("stacks")?.setData(data);
  });
}

function spotNear(spots, at, px) {
  for (const [key, spot] of spots) {
    if (Math.abs(spot.at.x - at.x) < px && Math.abs(spot.at.y - at.y) < px) return key;
  }
  return null;
}
