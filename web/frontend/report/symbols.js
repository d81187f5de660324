// The symbols of a map that is one file. A browser moves some hundreds of them at once and no thousands: where more are
// in view, those that would lie upon each other stand as one ring with their number, as on the public map.
const MOST = 300;
const CELL_PX = 72;
// So near, what still stands together stands on one spot and is listed.
const NEAREST = 20;
// How each state is drawn in a ring (web/frontend/map/symbols.js): told apart by its weight and by dashes too.
const WIDTHS = { on: 5, soon: 5, pause: 3.5, stop: 5, off: 2 };

// Every symbol of the file; Leaflet is handed those that are to be seen, when it is known how many they are.
const symbols = [];
L.GeoJSON.include({
  onAdd(map) {
    this.eachLayer((layer) => (layer instanceof L.Marker ? symbols.push(layer) : map.addLayer(layer)));
  },
});

// Places the symbols, again after each move; gives what does so. `names` are the legend's words by what it switches.
export function followSymbols(map, box, names, lang) {
  const placed = new Map();
  let chosen = null;
  const place = () => {
    const wanted = laidOut(map, symbols.filter((one) => !isHidden(box, one)));
    if (chosen) wanted.set(`${L.stamp(chosen)}`, chosen);
    for (const [key, mark] of placed) {
      if (wanted.has(key)) continue;
      mark.remove();
      placed.delete(key);
    }
    for (const [key, mark] of wanted) {
      if (!placed.has(key)) placed.set(key, (Array.isArray(mark) ? ringOf(mark) : mark).addTo(map));
    }
  };
  const ringOf = (members) => {
    const mark = L.marker(middle(members), { icon: ring(members), title: told(members, names, lang) });
    return mark.on("click keypress", ({ type, originalEvent }) => {
      if (type === "click" || originalEvent.key === "Enter") open(map, members);
    });
  };
  // What is told of stays, also where the map now shows a ring in its place.
  map.on("popupopen popupclose", ({ type, popup }) => {
    chosen = type === "popupopen" && symbols.includes(popup._source) ? popup._source : null;
  });
  map.on("moveend", place);
  return place;
}

const classesOf = (symbol) => symbol.options.icon.options.className.split(" ");
const isHidden = (box, symbol) => classesOf(symbol).some((one) => box.classList.contains(one.replace(/^of-/, "without-")));

// What is seen by its key: a symbol alone, or all of a cell.
function laidOut(map, shown) {
  const view = map.getBounds().pad(0.1);
  const seen = shown.filter((one) => view.contains(one.getLatLng()));
  const alone = (one) => [`${L.stamp(one)}`, one];
  if (seen.length <= MOST) return new Map(seen.map(alone));
  const cells = new Map();
  for (const one of seen) {
    // Cells are those of the whole world: they stay while the map is moved.
    const { x, y } = map.project(one.getLatLng());
    const key = `${map.getZoom()}/${Math.floor(x / CELL_PX)}/${Math.floor(y / CELL_PX)}`;
    cells.set(key, [...(cells.get(key) ?? []), one]);
  }
  return new Map([...cells].map(([key, all]) => (all.length > 1 ? [`${key}/${all.map(L.stamp)}`, all] : alone(all[0]))));
}

function middle(members) {
  const mean = (side) => members.reduce((sum, one) => sum + one.getLatLng()[side], 0) / members.length;
  return [mean("lat"), mean("lng")];
}

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

// How many there are, and of which kinds.
function told(members, names, lang) {
  const isChinese = lang === "zh-CN";
  const kinds = counted(members.map((one) => names.get(classesOf(one).filter((each) => names.has(each)).pop()) ?? ""));
  const each = [...kinds].filter(([kind]) => kind).sort((a, b) => b[1] - a[1]).map(([kind, n]) => `${kind} ${n}`);
  return `${members.length}${isChinese ? "：" : ": "}${each.join(isChinese ? "、" : ", ")}`;
}

function ring(members) {
  const looks = counted(members.map((one) => one.feature.properties._look ?? "on"));
  let from = -90;
  const arcs = Object.keys(WIDTHS).filter((look) => looks.has(look)).map((look) => {
    const part = (360 * looks.get(look)) / members.length;
    const strokes = dashes(look, part);
    const arc = `<circle class="${look}" r="15.5" pathLength="360" stroke-width="${WIDTHS[look]}" transform="rotate(${from})" stroke-dasharray="${strokes}"/>`;
    from += part;
    return arc;
  });
  return L.divIcon({
    className: "of-group", iconSize: [44, 44],
    html: `<svg viewBox="-22 -22 44 44" aria-hidden="true"><circle class="disc" r="18.5"/>${arcs.join("")}<text y="4.500">${members.length}</text></svg>`,
  });
}

// The strokes and spaces of so many degrees of a ring.
function dashes(look, part) {
  const gap = part === 360 ? 0 : 4;
  const length = Math.max(1, part - 2 * gap);
  const strokes = look === "soon" ? Array(Math.max(1, Math.floor((length + 8) / 20))).fill("12").join(" 8 ") : length;
  return `0 ${gap} ${strokes} 360`;
}

// Comes nearer, until the members stand apart; those of one spot are listed, each leading to what it tells.
function open(map, members) {
  const bounds = L.latLngBounds(members.map((one) => one.getLatLng()));
  if (map.getZoom() < NEAREST - 0.1 && !bounds.getSouthWest().equals(bounds.getNorthEast())) {
    map.fitBounds(bounds, { padding: [48, 48], maxZoom: NEAREST });
    return;
  }
  const list = document.createElement("ul");
  list.className = "members";
  for (const one of members) {
    const button = document.createElement("button");
    button.textContent = one.feature.properties._name || one.options.title;
    button.addEventListener("click", () => one.addTo(map).fire("click", { latlng: one.getLatLng() }, true));
    list.append(document.createElement("li"));
    list.lastChild.append(button);
  }
  L.popup({ maxHeight: 260 }).setLatLng(bounds.getCenter()).setContent(list).openOn(map);
}
