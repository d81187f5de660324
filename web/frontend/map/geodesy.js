// Areas and lengths on the WGS 84 ellipsoid, of things as small as finds: metres and square metres, never degrees.
const A_M = 6378137;
const E2 = 0.0066943799901413165;
const E = Math.sqrt(E2);
const RAD = Math.PI / 180;

// Half of the authalic function: with it a cylinder shows every area in its true size.
function authalic(lat) {
  const s = Math.sin(lat * RAD);
  return ((1 - E2) / 2) * (s / (1 - E2 * s * s) + Math.atanh(E * s) / E);
}

function ringArea(ring) {
  const [lon0, lat0] = ring[0];
  const y0 = authalic(lat0);
  let twice = 0;
  let [x1, y1] = [0, 0];
  for (const [lon, lat] of ring.slice(1)) {
    const x2 = (lon - lon0) * RAD;
    const y2 = authalic(lat) - y0;
    twice += x1 * y2 - x2 * y1;
    [x1, y1] = [x2, y2];
  }
  return (Math.abs(twice) / 2) * A_M * A_M;
}

// Square metres of a polygon: its outer ring less its holes.
export function areaM2(polygon) {
  const [outer, ...holes] = polygon.coordinates;
  return holes.reduce((left, hole) => left - ringArea(hole), ringArea(outer));
}

// Metres along a line, by the radii of curvature in the middle of each step.
export function lengthM(places) {
  let total = 0;
  for (let i = 1; i < places.length; i += 1) {
    const [[lon1, lat1], [lon2, lat2]] = [places[i - 1], places[i]];
    const middle = ((lat1 + lat2) / 2) * RAD;
    const w = 1 - E2 * Math.sin(middle) ** 2;
    const north = ((A_M * (1 - E2)) / w ** 1.5) * (lat2 - lat1) * RAD;
    const east = (A_M / Math.sqrt(w)) * Math.cos(middle) * (lon2 - lon1) * RAD;
    total += Math.hypot(north, east);
  }
  return total;
}
