// What a camera looks at, as the server reckons it on the ellipsoid; on a sphere here, for the eye alone.
const EARTH_M = 6371008.8;
const RAD = Math.PI / 180;

function away([lon, lat], azimuth, metres) {
  const d = metres / EARTH_M;
  const lat1 = lat * RAD;
  const lat2 = Math.asin(Math.sin(lat1) * Math.cos(d) + Math.cos(lat1) * Math.sin(d) * Math.cos(azimuth * RAD));
  const east = Math.sin(azimuth * RAD) * Math.sin(d) * Math.cos(lat1);
  return [lon + Math.atan2(east, Math.cos(d) - Math.sin(lat1) * Math.sin(lat2)) / RAD, lat2 / RAD];
}

export function sector(at, azimuth, width, range) {
  const steps = Math.max(3, Math.ceil(width / 5) + 1);
  const arc = Array.from({ length: steps }, (_, i) => away(at, azimuth - width / 2 + (width * i) / (steps - 1), range));
  const ring = width >= 360 ? arc : [at, ...arc];
  return { type: "Polygon", coordinates: [[...ring, ring[0]]] };
}
