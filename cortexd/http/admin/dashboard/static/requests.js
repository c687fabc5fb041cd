/* The latest requests and the way that each has gone. */

import { copyOf, field, fill, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { keepFresh } from "./events.js";
import { clock, counted, milliseconds, NOTHING, number, short } from "./format.js";

const SHOWN_MAX = 200;
const NOT_ASKED = /^(not needed|skipped)/;
const SKIPPED = /^skipped/;

export function requests(_page, signal) {
  const choice = document.getElementById("show");
  const show = (document) =>
    showRequests(Array.isArray(document) ? document : document.items, choice.value);
  const refresh = keepFresh({ path: "/admin/requests", show, signal, kinds: ["exchange_ended"] });
  choice.addEventListener("change", refresh);
}

const isTroubled = ({ outcome, attempts, resumed }) =>
  outcome !== "served" || attempts > 1 || resumed > 0;

function showRequests(items, choice) {
  const shown = (choice === "troubled" ? items.filter(isTroubled) : items).slice(0, SHOWN_MAX);
  const troubled = items.filter(isTroubled).length;
  setText(
    document.getElementById("requests-sum"),
    `the last ${number(items.length)}, ${number(troubled)} with trouble`,
  );
  document.getElementById("no-requests").hidden = shown.length > 0;
  showRows(document.getElementById("request-list"), shown, {
    key: ({ request_id: id, ended_at: at }) => `${id} ${at}`,
    make: makeRow,
    show: () => {},
  });
}

/** An ended exchange never changes: its row is written once. */
function makeRow(exchange) {
  const row = copyOf("request");
  fill(row, {
    id: short(exchange.request_id, 14),
    door: exchange.door,
    model: exchange.model ?? "any",
    resumed: exchange.resumed ? `carried on ${counted(exchange.resumed, "time")}` : "",
    ttft: milliseconds(inMs(exchange.first_token_s)),
    took: milliseconds(inMs(exchange.duration_s)),
    tokens: tokens(exchange),
    cache: words(exchange.cache),
  });
  field(row, "id").title = exchange.request_id;
  setTime(field(row, "ended"), exchange.ended_at, clock(exchange.ended_at));
  setStatus(field(row, "outcome"), exchange.outcome);
  row.querySelector(".path").append(...stepsOf(exchange).map(makeStep));
  return row;
}

const inMs = (span) => (span === null || span === undefined ? null : span * 1000);

function tokens({ usage, usage_is_estimate: isEstimate }) {
  if (!usage) return NOTHING;
  const about = isEstimate ? "≈ " : "";
  return `${about}${number(usage.input_tokens)} → ${number(usage.output_tokens)}`;
}

/** Who was asked, in order, and what came of it; where nobody was, why. */
function stepsOf({ candidates, cache }) {
  if (cache === "hit" || cache === "stale") return [{ worker: "cache", verdict: "taken" }];
  const notes = candidates.map((note) => {
    const [name, ...verdict] = note.split(": ");
    return { worker: name, verdict: verdict.join(": ") };
  });
  const asked = notes.filter(({ verdict }) => !NOT_ASKED.test(verdict));
  return asked.length ? asked : notes.filter(({ verdict }) => SKIPPED.test(verdict));
}

function makeStep({ worker, verdict }) {
  const step = copyOf("step");
  step.dataset.tone = verdict === "taken" ? "ok" : SKIPPED.test(verdict) ? "idle" : "bad";
  fill(step, { worker, verdict: verdict === "taken" ? "✓" : words(verdict) });
  return step;
}
