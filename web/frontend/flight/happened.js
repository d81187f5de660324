// One event of a flight as a line of text: what the gateway wrote down, in the reader's words.
import { identitySentence } from "./identity.js";

const join = (...parts) => parts.filter(Boolean).join(" · ");

// What the policy did about a flight that does not go as published, or the state that was found.
function conformance(body, said) {
  if (!body.step) return join(said.conformance[body.state] ?? body.state);
  const bound = body.measured && body.required ? `${body.measured} (${body.required})` : "";
  return join(said.ladder[body.step] ?? body.step, said.causes[body.cause] ?? body.cause, bound);
}

function refusals(body, lang) {
  const list = (lang === "zh" ? body.refusals_zh : body.refusals) ?? [];
  return list.map((one) => one.message).join(" ");
}

// The aircraft's own answer: the command that brought it about and the mode that it showed, or why not.
function ack(body, said, lang) {
  const answer = body.refused ? said.outcomes.refused : said.outcomes.done;
  return join(said.orders[body.order] ?? body.order, answer, body.by, body.mode, refusals(body, lang));
}

function order(body, said, lang) {
  const reason = body.reason === body.order ? "" : body.reason;
  const outcome = said.outcomes[body.outcome] ?? body.outcome;
  return join(said.orders[body.order] ?? body.order, outcome, reason, refusals(body, lang));
}

function link(body, said) {
  const n = body.count ?? Math.abs(body.silence_s ?? body.offset_s ?? 0).toFixed(0);
  return join((said.lines[body.stage] ?? body.stage ?? "").replace("{n}", n), body.reason, body.source);
}

function override(body, said) {
  return join(said.hands[String(body.pilot_has_control)], body.mode ?? body.text);
}

function gap(body, said) {
  const seconds = body.seconds ?? Math.round((Date.parse(body.until) - Date.parse(body.from)) / 1000);
  return said.gap.replace("{n}", seconds);
}

export function sentence({ kind, body }, said, lang) {
  const told = { conformance, order, ack, link, override, gap, remote_id: (what) => identitySentence(what, said.remote_id) };
  told.step = () => said.steps[body.step] ?? body.step ?? "";
  return told[kind]?.(body, said, lang) ?? body.text ?? body.reason ?? body.state ?? "";
}
