// What the aircraft says of itself by Remote ID: the latest word, or the one at the time under the slider.
import { clock } from "./track.js";

export const IDENTITY_LOOK = { absent: "off", unknown: "soon", match: "on", mismatch: "stop", silent: "soon" };

// After so long the time of day says more than a number of seconds.
const MOST_SECONDS = 100;
const degrees = ([lon, lat]) =>
  `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(5)}° ${lon < 0 ? "W" : "E"}`;

// What is told of one event in a line: how it stands, and what speaks against it.
export function identitySentence(body, said) {
  const reasons = (body.reasons ?? []).map((reason) => said.reasons[reason] ?? reason);
  return [said.states[body.state] ?? body.state, ...reasons].join(" · ");
}

export function identityPanel(root, said, told, lang) {
  const cells = Object.fromEntries([...root.querySelectorAll("[data-identity]")].map((node) => [node.dataset.identity, node]));
  const facts = root.querySelector("dl");
  let shown = null;
  let arrived = null;

  const put = (name, text) => {
    if (cells[name].textContent !== text) cells[name].textContent = text;
    // A row that has nothing to say is not there.
    const row = cells[name].closest("dd");
    if (row) row.hidden = row.previousElementSibling.hidden = text === "";
  };

  function detail(body) {
    const named = (kind) => body.ids?.find((one) => one.id_type === kind)?.uas_id ?? "";
    const sentences = {
      serial_number: () => said.other_id.replace("{said}", named("serial_number")).replace("{known}", body.registered?.serial_number ?? ""),
      registration: () => said.other_id.replace("{said}", named("registration")).replace("{known}", body.registered?.registration ?? ""),
      position: () => said.other_place.replace("{n}", (body.apart_m ?? 0).toFixed(0)),
      time: () => said.other_time,
    };
    const against = (body.reasons ?? []).filter((reason) => sentences[reason]).map((reason) => sentences[reason]());
    const unfit = body.module && !body.module.is_fit ? [said.unfit.replace("{reason}", body.module.reason || "–")] : [];
    return [...(against.length ? against : [said.details[body.state] ?? ""]), ...unfit].filter(Boolean).join(lang === "zh" ? "" : " ");
  }

  function draw(event) {
    shown = event;
    const body = event?.body ?? { state: "absent" };
    cells.state.className = `state ${IDENTITY_LOOK[body.state] ?? "off"}`;
    put("state", said.states[body.state] ?? body.state);
    put("detail", detail(body));
    facts.hidden = !body.heard_at;
    const ids = (body.ids ?? []).filter((one) => one.uas_id);
    put("ids", ids.map((one) => one.uas_id).join(", "));
    put("kind", ids.map((one) => said.kinds[one.id_type] ?? one.id_type).join(", "));
    put("operator", body.operator_id ?? "");
    const height = body.height_m == null ? "" : ` · ${body.height_m.toFixed(0)} m`;
    put("status", body.status ? `${said.statuses[body.status] ?? body.status}${body.status === "ground" ? "" : height}` : "");
    put("allowed", body.allowed_m == null ? "" : `(${said.allowed.replace("{n}", body.allowed_m.toFixed(0))})`);
    put("place", body.apart_m == null ? "" : `${body.apart_m.toFixed(0)} m`);
    put("operator_at", body.operator_at ? degrees(body.operator_at) : "");
  }

  return {
    take(event, live) {
      told.push(event);
      if (live) arrived = Date.now();
    },
    // The word that stood at `t`, the last one where `t` is null.
    show(t) {
      const found = t == null ? told.at(-1) : told.findLast((event) => event.t <= t);
      if (found !== shown || !found) draw(found ?? null);
    },
    age(live) {
      if (!shown?.body.heard_at) return;
      const since = (live && arrived) || Date.parse(shown.body.heard_at);
      const seconds = Math.max(0, (Date.now() - since) / 1000);
      put("age", live && seconds < MOST_SECONDS ? said.ago.replace("{n}", seconds.toFixed(0)) : clock(since, lang));
    },
  };
}
