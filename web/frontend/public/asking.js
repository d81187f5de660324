// What watches this address: by words, by a click beside everything, and near the reader, whose place stays here.
import { htmx } from "../entries/app.js";
import { lengthM } from "../map/geodesy.js";
import { maplibregl } from "../map/map.js";
import { distinct } from "./listing.js";
import * as state from "./state.js";

const NEAR_M = 500;
const NEAR_ZOOM = 15;

export function makeAsking(map, config, said, card) {
  let marker = null;
  const accent = () => getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();

  function pin(place) {
    marker?.remove();
    marker = place && new maplibregl.Marker({ color: accent() }).setLngLat(place).addTo(map);
  }

  function at(place) {
    const query = { lon: place.lng.toFixed(6), lat: place.lat.toFixed(6) };
    card.close();
    htmx.ajax("GET", `/?${new URLSearchParams(query)}`, { target: "#answer", select: "#answer", swap: "outerHTML" })
      .then(() => state.ask(query));
  }

  function pointAtAnswer({ move = true } = {}) {
    const answer = document.querySelector("#answer [data-lon]");
    pin(null);
    if (!answer) return;
    const place = [Number(answer.dataset.lon), Number(answer.dataset.lat)];
    pin(place);
    if (move) map.easeTo({ center: place, zoom: Math.max(map.getZoom(), 14), duration: 400 });
    if (matchMedia("(max-width: 860px)").matches) document.getElementById("answer").scrollIntoView({ block: "nearest" });
  }
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "answer") pointAtAnswer();
  });

  searchBox();
  nearMe();
  return { at, pointAtAnswer };

  // Arrow keys walk from the box through what was found and back.
  function searchBox() {
    const box = document.getElementById("q");
    const form = document.getElementById("search");
    form.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const stops = [box, ...form.querySelectorAll("#found a, #answer .results a, #answer .results button")];
      const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      if (stops[next]) {
        stops[next].focus();
        event.preventDefault();
      }
    });
    box.addEventListener("input", () => box.value.trim() || document.getElementById("found").replaceChildren());
    // Nothing is asked of the server for an empty box.
    box.addEventListener("htmx:beforeRequest", (event) => box.value.trim() || event.preventDefault());
  }

  function nearMe() {
    const button = document.getElementById("near-me");
    if (!navigator.geolocation) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      tell(config.near.asking);
      button.disabled = true;
      navigator.geolocation.getCurrentPosition(
        (position) => {
          button.disabled = false;
          here(position.coords);
        },
        (error) => {
          button.disabled = false;
          tell(error.code === error.PERMISSION_DENIED ? config.near.refused : config.near.failed);
        },
        { enableHighAccuracy: true, timeout: 15000, maximumAge: 60000 },
      );
    });
  }

  function tell(sentence, rows = [], note = "") {
    const answer = document.getElementById("answer");
    const lead = document.createElement("p");
    lead.className = "lead";
    lead.textContent = sentence;
    answer.replaceChildren(lead);
    if (rows.length) {
      const list = document.createElement("ol");
      list.className = "results";
      list.append(...rows);
      answer.append(list);
    }
    if (note) {
      const said = document.createElement("p");
      said.className = "small quiet";
      said.textContent = note;
      answer.append(said);
    }
  }

  // The map goes there and fetches its tiles, as with any move; what they hold is measured here.
  function here({ longitude, latitude, accuracy }) {
    const place = [longitude, latitude];
    card.close();
    state.ask({});
    pin(place);
    map.jumpTo({ center: place, zoom: NEAR_ZOOM });
    map.once("idle", () => measure(place, accuracy));
  }

  function measure(place, accuracy) {
    const found = ["devices", "deployment_points"].filter((name) => map.getSource(name))
      .flatMap((name) => map.querySourceFeatures(name, { sourceLayer: name }).map((one) => Object.assign(one, { source: name })));
    const near = distinct(found)
      .filter((one) => !["retired", "discontinued"].includes(one.properties.state))
      .map((one) => ({ one, far: lengthM([place, one.geometry.coordinates]) }))
      .filter(({ far }) => far <= NEAR_M)
      .sort((a, b) => a.far - b.far);
    const metres = (far) => config.near.metres.replace("{n}", Math.max(10, Math.round(far / 10) * 10));
    const above = map.getLayer("area-fill") && map.queryRenderedFeatures(map.project(place), { layers: ["area-fill"] }).length > 0;
    const sentence = near.length === 0 ? config.near.none
      : (near.length === 1 ? config.near.one : config.near.many.replace("{n}", near.length)).replace("{near}", metres(near[0].far));
    tell(
      above ? `${sentence}${config.lang === "zh" ? "" : " "}${config.near.above}` : sentence,
      near.map(({ one, far }) => said.row(one, (which) => card.open(which), metres(far))),
      config.near.private.replace("{n}", Math.max(10, Math.ceil((accuracy ?? 10) / 10) * 10)),
    );
  }
}
