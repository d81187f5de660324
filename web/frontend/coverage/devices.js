// Devices of a study: fetched once, drawn, found by name; the views of those that are near are drawn as sectors.
import { sector } from "../planning/sector.js";
import { EMPTY, VIEWS_FROM } from "./map.js";

// More sectors than this at once are a carpet, and slow.
const MOST_VIEWS = 600;
const MOST_FOUND = 8;

export async function fetchDevices(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.refusals?.[0]?.message ?? answer.statusText);
  return new Map(said.devices.map((each) => [each.key, each]));
}

export const sectorOf = (each) => sector([each.lon, each.lat], each.azimuth_deg ?? 0, each.hfov_deg ?? 360, each.range_m);

export function drawDevices(map, devices, hidden) {
  const features = [...devices.values()].filter((each) => !hidden.has(each.key)).map(({ key, kind, status, lon, lat }) => ({
    type: "Feature", properties: { key, kind, status }, geometry: { type: "Point", coordinates: [lon, lat] },
  }));
  map.getSource("devices")?.setData({ type: "FeatureCollection", features });
}

export function drawViews(map, devices, hidden) {
  const source = map.getSource("views");
  if (!source) return;
  if (map.getZoom() < VIEWS_FROM) return void source.setData(EMPTY);
  const box = map.getBounds();
  const near = [];
  for (const each of devices.values()) {
    if (hidden.has(each.key) || !box.contains([each.lon, each.lat])) continue;
    near.push({ type: "Feature", properties: {}, geometry: sectorOf(each) });
    if (near.length === MOST_VIEWS) break;
  }
  source.setData({ type: "FeatureCollection", features: near });
}

// A field in which a device is looked for by name, with arrows and Enter as in any list of choices.
export function startFinding(field, list, devices, choose, words) {
  let found = [];
  let active = -1;
  const show = () => {
    const wanted = field.value.trim().toLowerCase();
    found = wanted ? [...devices.values()].filter(({ fixed, label, key }) => !fixed && `${label} ${key}`.toLowerCase().includes(wanted)).slice(0, MOST_FOUND) : [];
    active = -1;
    list.replaceChildren(...found.map(({ label, key }, index) => option(index, /^(own|new)-/.test(key) ? label : `${label} · ${key}`)));
    if (wanted && !found.length) list.replaceChildren(nothing(words.none));
    list.hidden = !wanted;
    field.setAttribute("aria-expanded", String(!list.hidden));
    field.removeAttribute("aria-activedescendant");
  };
  const option = (index, told) => {
    const made = document.createElement("li");
    made.id = `found-${index}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", "false");
    made.textContent = told;
    made.addEventListener("click", () => take(index));
    return made;
  };
  const nothing = (told) => {
    const made = option(0, told);
    made.setAttribute("aria-disabled", "true");
    return made;
  };
  const take = (index) => {
    if (!found[index]) return;
    const { key } = found[index];
    field.value = "";
    show();
    choose(key);
  };
  const walk = (step) => {
    active = Math.min(Math.max(active + step, 0), found.length - 1);
    [...list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === active)));
    if (found.length) field.setAttribute("aria-activedescendant", `found-${active}`);
  };
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    const act = { ArrowDown: () => walk(1), ArrowUp: () => walk(-1), Enter: () => take(Math.max(active, 0)), Escape: () => ((field.value = ""), show()) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
