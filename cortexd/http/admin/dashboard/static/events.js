/* What keeps the page fresh: the node's events as they happen, documents asked for each second. */

import { ApiError, get } from "./api.js";

const EVERY_MS = 1000;
const PAUSE_MS_MIN = 250;
const ANSWER_MS_MAX = 5000;

const KINDS = [
  "agent_left",
  "agent_lost",
  "agent_registered",
  "agent_reported",
  "agent_returned",
  "alert_changed",
  "alert_channel_failed",
  "breaker_changed",
  "child_failed",
  "child_killed",
  "child_restarted",
  "child_start_failed",
  "child_stuck",
  "client_key_changed",
  "cluster_link_changed",
  "cluster_state_changed",
  "config_reloaded",
  "credential_rejected",
  "dead_letter_kept",
  "dead_letter_retried",
  "dead_letters_dropped",
  "degradation_changed",
  "exchange_ended",
  "fleet_command_done",
  "fleet_line_changed",
  "fleet_message_rejected",
  "fleet_worker_refused",
  "key_changed",
  "node_joined",
  "node_left",
  "shared_value_rejected",
  "shared_worker_skipped",
  "storage_recovered",
  "storage_troubled",
  "supervisor_gave_up",
  "worker_activated",
  "worker_deactivated",
  "worker_registered",
  "worker_status_changed",
  "worker_unregistered",
];

const bus = new EventTarget();
let source = null;

/** Begins to listen to the node; where the stream breaks, the browser comes back by itself. */
export function listen() {
  source = new EventSource("/admin/events");
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ data }) => {
      bus.dispatchEvent(new CustomEvent(kind, { detail: { kind, ...JSON.parse(data) } }));
    });
  }
  addEventListener("pagehide", () => source.close());
}

/** Calls `hear` with each event of these kinds (of all, without them) until the signal. */
export function onEvents(hear, signal, kinds = KINDS) {
  for (const kind of kinds) bus.addEventListener(kind, ({ detail }) => hear(detail), { signal });
}

function tellConnection(word, tone) {
  const element = document.getElementById("connection");
  if (element.textContent !== word) element.textContent = word;
  element.dataset.tone = tone;
}

/** Asks for a document again and again until the signal, and at once after the events of `kinds`.

    `path` may be a function. Gives a function that asks at once. While nobody looks at the page,
    nothing is asked for. */
export function keepFresh({ path, show, signal, kinds = [] }) {
  let isDue = false;
  let wake = () => {};
  const refresh = () => {
    isDue = true;
    wake();
  };
  const run = async () => {
    while (!signal.aborted) {
      isDue = false;
      if (!document.hidden) await once(path, show, signal);
      // A burst of events is one reason to ask, not many.
      await pause(PAUSE_MS_MIN);
      if (!isDue)
        await pause(EVERY_MS - PAUSE_MS_MIN, (end) => {
          wake = end;
        });
    }
  };
  if (kinds.length) onEvents(refresh, signal, kinds);
  document.addEventListener("visibilitychange", refresh, { signal });
  signal.addEventListener("abort", refresh);
  run();
  return refresh;
}

function pause(ms, letEnd = () => {}) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    letEnd(resolve);
  });
}

async function once(path, show, signal) {
  const asked = typeof path === "function" ? path() : path;
  let document;
  try {
    document = await get(asked, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]));
  } catch (error) {
    if (!signal.aborted)
      tellConnection(error instanceof ApiError ? `error ${error.status}` : "no connection", "bad");
    return;
  }
  if (signal.aborted) return;
  try {
    show(document);
    tellConnection("live", "ok");
  } catch (error) {
    // A fault of this page: what it shows is old, and somebody should see that.
    tellConnection("page fault", "bad");
    reportError(error);
  }
}
