// What was here before: a slider over the days, with marks where something changed, and the answer in words.
import * as state from "./state.js";

const DAY_MS = 86400000;
const PAUSE_MS = 220;
const SVG = "http://www.w3.org/2000/svg";

const numberOf = (day) => Math.round(Date.parse(`${day}T00:00:00Z`) / DAY_MS);
const dayOf = (number) => new Date(number * DAY_MS).toISOString().slice(0, 10);

export function makeHistory(config) {
  const part = (id) => document.getElementById(id);
  const [bar, slider, said, opener] = ["history-bar", "history-day", "history-said", "history-open"].map(part);
  let days = null;
  let waiting = null;
  part("history").hidden = false;

  async function open() {
    if (!days) {
      const answer = await fetch("/changes/days.json");
      if (!answer.ok) return;
      const told = await answer.json();
      days = told.days.map(([day, changes, inUse]) => ({ at: numberOf(day), changes, inUse }));
      const today = numberOf(told.today);
      slider.min = Math.min(days[0]?.at ?? today, today - 30);
      slider.max = today;
      marks();
    }
    bar.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    set(state.read().on);
  }

  function close() {
    bar.hidden = true;
    opener.setAttribute("aria-expanded", "false");
  }

  // Low marks where little changed, high ones where much did.
  function marks() {
    const [first, last] = [Number(slider.min), Number(slider.max)];
    const most = Math.max(1, ...days.map((one) => one.changes));
    const picture = part("history-marks");
    picture.setAttribute("viewBox", `0 0 ${Math.max(1, last - first)} 16`);
    picture.replaceChildren(...days.filter((one) => one.at >= first).map((one) => {
      const line = document.createElementNS(SVG, "path");
      const high = 4 + (12 * Math.log1p(one.changes)) / Math.log1p(most);
      line.setAttribute("d", `M${one.at - first} 16v${-high}`);
      line.setAttribute("vector-effect", "non-scaling-stroke");
      return line;
    }));
  }

  function set(on) {
    // A day before anything is known of is a day too: nothing was here.
    if (on && numberOf(on) < Number(slider.min)) {
      slider.min = numberOf(on);
      marks();
    }
    slider.value = on ? numberOf(on) : slider.max;
    tell();
  }

  function tell() {
    const at = Number(slider.value);
    const last = days.filter((one) => one.at <= at).at(-1);
    const day = dayOf(at);
    said.textContent = (last?.inUse === 1 ? config.past.one : config.past.said).replace("{day}", at === Number(slider.max) ? config.past.today : day).replace("{n}", last?.inUse ?? 0);
    slider.setAttribute("aria-valuetext", said.textContent);
  }

  function go() {
    tell();
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const at = Number(slider.value);
      state.write({ on: at === Number(slider.max) ? "" : dayOf(at) });
    }, PAUSE_MS);
  }

  function step(way) {
    const at = Number(slider.value);
    const others = days.map((one) => one.at).filter((day) => (way < 0 ? day < at : day > at));
    slider.value = way < 0 ? others.at(-1) ?? slider.min : others[0] ?? slider.max;
    go();
  }

  opener.addEventListener("click", () => (bar.hidden ? open() : close()));
  slider.addEventListener("input", go);
  for (const button of bar.querySelectorAll("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
  part("history-today").addEventListener("click", () => {
    slider.value = slider.max;
    go();
  });
  // The answer above the map is the server's, in its words.
  let told = state.read().on;
  state.follow((now) => {
    if (now.on === told) return;
    told = now.on;
    if (days) set(now.on);
    answer();
  });
  // Whoever moves the slider fast asks for many days: the last one is told, whichever answer comes last.
  let asked = 0;
  async function answer() {
    asked += 1;
    const mine = asked;
    const page = await fetch(`/?${state.queryFor(["on"])}`);
    const read = new DOMParser().parseFromString(await page.text(), "text/html");
    const head = read.getElementById("head");
    if (!head || mine !== asked) return;
    document.getElementById("head").replaceWith(document.adoptNode(head));
    // The legend counts what there was on that day.
    for (const box of document.querySelectorAll("#legend input[type=checkbox]")) {
      const then = read.querySelector(`#legend input[name="${box.name}"][value="${CSS.escape(box.value)}"]`);
      const [here, there] = [box, then].map((one) => one?.closest("label").querySelector(".count"));
      if (here && there) here.textContent = there.textContent;
    }
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#back-to-today")) return;
    event.preventDefault();
    state.write({ on: "" });
  });
  if (state.read().on) open();
}
