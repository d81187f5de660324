// Directions and distances on a sphere, for a hand on the map: the server reckons on the ellipsoid.
const EARTH_M = 6371008.8;
const RAD = Math.PI / 180;

export function distanceM([lon1, lat1], [lon2, lat2]) {
  const half = Math.sin(((lat2 - lat1) * RAD) / 2) ** 2
    + Math.cos(lat1 * RAD) * Math.cos(lat2 * RAD) * Math.sin(((lon2 - lon1) * RAD) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(half)));
}

// Clockwise from north, 0 to 360.
export function headingDeg([lon1, lat1], [lon2, lat2]) {
  const turn = (lon2 - lon1) * RAD;
  const east = Math.sin(turn) * Math.cos(lat2 * RAD);
  const north = Math.cos(lat1 * RAD) * Math.sin(lat2 * RAD) - Math.sin(lat1 * RAD) * Math.cos(lat2 * RAD) * Math.cos(turn);
  return ((Math.atan2(east, north) / RAD) + 360) % 360;
}
