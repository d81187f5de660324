// GCJ-02, the shifted datum of maps made in China, and the way back; for drawing alone, never for what is kept or sent.
// The shift is the published series on the ellipsoid of Krasovsky 1940; outside of China there is none.
const A_M = 6378245;
const E2 = 0.00669342162296594323;
const RAD = Math.PI / 180;
const WEST = 72.004;
const EAST = 137.8347;
const SOUTH = 0.8293;
const NORTH = 55.8271;

export const isShifted = (lon, lat) => lon > WEST && lon < EAST && lat > SOUTH && lat < NORTH;

// Three waves of one period and its parts, as both series have them.
const waves = (value, parts) => parts.reduce((sum, [size, turn]) => sum + size * Math.sin(value * turn * Math.PI), 0);

function shift(lon, lat) {
  const x = lon - 105;
  const y = lat - 35;
  const common = (20 * waves(x, [[1, 6], [1, 2]]) * 2) / 3;
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + common
    + (waves(y, [[20, 1], [40, 1 / 3], [160, 1 / 12], [320, 1 / 30]]) * 2) / 3;
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + common
    + (waves(x, [[20, 1], [40, 1 / 3], [150, 1 / 12], [300, 1 / 30]]) * 2) / 3;
  const w2 = 1 - E2 * Math.sin(lat * RAD) ** 2;
  const w = Math.sqrt(w2);
  return [east / ((A_M / w) * Math.cos(lat * RAD) * RAD), north / (((A_M * (1 - E2)) / (w2 * w)) * RAD)];
}

export function toGcj02([lon, lat]) {
  if (!isShifted(lon, lat)) return [lon, lat];
  const [east, north] = shift(lon, lat);
  return [lon + east, lat + north];
}

// The place of which this is the shifted one, by coming closer: five steps leave less than a millimetre.
export function fromGcj02([lon, lat]) {
  if (!isShifted(lon, lat)) return [lon, lat];
  let place = [lon, lat];
  for (let step = 0; step < 5; step += 1) {
    const [x, y] = toGcj02(place);
    place = [place[0] + lon - x, place[1] + lat - y];
  }
  return place;
}

// Places in the plane of tiles of one zoom, in tiles.
export function toTile([lon, lat], zoom) {
  const s = Math.sin(lat * RAD);
  const n = 2 ** zoom;
  return [((lon + 180) / 360) * n, (0.5 - Math.atanh(s) / (2 * Math.PI)) * n];
}

export function fromTile([x, y], zoom) {
  const n = 2 ** zoom;
  return [(x / n) * 360 - 180, Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / n))) / RAD];
}
