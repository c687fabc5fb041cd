/* How the node is, at a glance. */

import { get, order } from "./api.js";
import { chart } from "./charts.js";
import { act, tell } from "./dialogs.js";
import { copyOf, field, fill, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { onEvents } from "./events.js";
import { onDashboard, refreshDashboard } from "./feed.js";
import { clock, milliseconds, NOTHING, number, percent, seconds } from "./format.js";
import { stateOf } from "./workers.js";

const HISTORY_S = 900;
const FIRST_SAMPLE_S = 10;
const HAPPENINGS_MAX = 40;
const TAKES_REQUESTS = ["available", "busy"];
const SERIES = {
  requests: ["requests_per_second"],
  ttft: ["ttft_ms_p50", "ttft_ms_p95"],
  tokens: ["tokens_per_second"],
  errors: ["error_rate"],
};

export function overview(page, signal) {
  const charts = makeCharts(page, signal);
  let isLoaded = false;
  const level = document.getElementById("level-choice");
  let isChosen = false;
  level.addEventListener("change", () => {
    isChosen = true;
  });
  document.getElementById("force-level").addEventListener("submit", async (event) => {
    event.preventDefault();
    await force(event.submitter, level.value);
    isChosen = false;
  });
  onDashboard((document) => {
    showState(document);
    showWorkers(document);
    pushPoint(charts, document);
    if (!isLoaded) loadHistory(charts, document, signal);
    isLoaded = true;
    if (!isChosen) showChoice(level, document.degradation);
  }, signal);
  showHappenings(signal);
}

function makeCharts(page, signal) {
  const figure = (name) => page.querySelector(`[data-chart="${name}"]`);
  const lines = (name, tones) =>
    SERIES[name].map((each, index) => ({ name: each, tone: tones[index] }));
  return {
    requests: chart(figure("requests"), {
      signal,
      series: lines("requests", ["accent"]),
      tell: ([now]) => number(now),
    }),
    ttft: chart(figure("ttft"), {
      signal,
      floor: 100,
      series: lines("ttft", ["accent", "warn"]),
      tell: ([half, most]) => `p50 ${milliseconds(half)} · p95 ${milliseconds(most)}`,
    }),
    tokens: chart(figure("tokens"), {
      signal,
      floor: 10,
      series: lines("tokens", ["ok"]),
      tell: ([now]) => number(now),
    }),
    errors: chart(figure("errors"), {
      signal,
      floor: 10,
      series: lines("errors", ["bad"]),
      tell: ([now]) => (now === null ? NOTHING : `${percent(now / 100)} of requests`),
    }),
  };
}

/** Errors are shares in the documents, and percent in the chart. */
const inPercent = (share) => (share === null || share === undefined ? null : share * 100);

/** What has been since the node began, and before it what is left of that time, in minutes. */
async function loadHistory(charts, { system_health: health }, signal) {
  const now = Date.parse(health.timestamp) / 1000;
  const began = now - health.uptime_seconds + FIRST_SAMPLE_S;
  const names = Object.values(SERIES).flat().join(",");
  try {
    for (const since of [Math.max(began, now - HISTORY_S), now - HISTORY_S]) {
      const { series } = await get(
        `/admin/metrics/history?series=${names}&since=${since.toFixed(3)}`,
        signal,
      );
      const errors = series.error_rate.map(([at, share]) => [at, inPercent(share)]);
      for (const drawn of Object.values(charts)) drawn.load({ ...series, error_rate: errors });
    }
  } catch (error) {
    // Without a past, the charts begin now.
    if (!signal.aborted) tell(`no history: ${error.message}`, "bad");
  }
}

function pushPoint(charts, { performance: now, system_health: health }) {
  const at = Date.parse(health.timestamp) / 1000;
  charts.requests.push(at, [now.requests_per_second ?? null]);
  charts.ttft.push(at, [now.ttft_ms?.p50 ?? null, now.ttft_ms?.p95 ?? null]);
  charts.tokens.push(at, [now.tokens_per_second ?? null]);
  charts.errors.push(at, [inPercent(now.error_rate)]);
}

function showState({
  system_health: health,
  degradation,
  workers,
  alerts,
  dead_letter_queue: queue,
  pools,
  performance: now,
}) {
  const byId = (id) => document.getElementById(id);
  const lost = Object.keys(health.workers).filter(
    (name) => !TAKES_REQUESTS.includes(health.workers[name]),
  );
  setStatus(byId("status"), health.status);
  setWhole(byId("status-why"), reasons(health));
  setText(
    byId("uptime"),
    [
      `up for ${seconds(Math.floor(health.uptime_seconds))}`,
      `${number(now.memory_usage.value)} ${now.memory_usage.unit}`,
      `loop lag ${milliseconds(now.loop_lag_ms)}`,
    ].join(" · "),
  );
  setStatus(byId("level"), degradation?.level ?? health.degradation_level);
  setWhole(byId("level-why"), measures(degradation));
  setText(byId("available"), `${workers.length - lost.length} of ${workers.length}`);
  setText(byId("unavailable"), lost.length ? `not: ${lost.join(", ")}` : "all of them");
  setText(byId("in-flight"), number(pools.in_flight));
  setText(
    byId("queued"),
    `${number(workers.reduce((sum, { queued }) => sum + queued, 0))} waiting`,
  );
  setText(byId("alerts"), number(alerts?.active));
  setText(byId("dead-letters"), number(queue?.stats?.total));
}

/** What may be too long for its line is to be had where one points at it. */
function setWhole(element, text) {
  setText(element, text);
  element.title = text;
}

function reasons({ reasons: told, status }) {
  const lines = Object.entries(told ?? {}).map(([worker, reason]) => `${worker}: ${reason}`);
  if (lines.length) return lines.join(" · ");
  return status === "healthy" ? "Everything is well." : "";
}

/** Who wants the level, and what is done about it. */
function measures(degradation) {
  const { forced, reason, strategies = [] } = degradation ?? {};
  return [forced ? "forced" : reason, ...strategies].filter(Boolean).map(words).join(" · ");
}

function showChoice(level, degradation) {
  if (degradation) level.value = degradation.forced ? degradation.level : "auto";
}

async function force(button, level) {
  await act(button, async () => {
    const now = await order("PUT", "/admin/degradation", { level });
    tell(
      level === "auto"
        ? "The level follows by itself."
        : `The level is forced to ${words(now.level)}.`,
    );
  });
  refreshDashboard();
}

function showWorkers({ workers }) {
  showRows(document.getElementById("overview-workers"), workers, {
    key: ({ name }) => name,
    make: () => copyOf("overview-worker"),
    show(row, worker) {
      fill(row, {
        name: worker.name,
        in_flight: number(worker.in_flight),
        ttft: milliseconds(worker.ttft_s === null ? null : worker.ttft_s * 1000),
      });
      setStatus(field(row, "state"), ...stateOf(worker));
      setStatus(field(row, "breaker"), worker.breaker.state);
    },
  });
}

const ABOUT = {
  exchange_ended: (it) =>
    `${words(it.outcome)}, ${it.model ?? "any model"}${it.worker ? ` by ${it.worker}` : ""}`,
  worker_status_changed: (it) => `${it.worker}: ${words(it.before)} → ${words(it.after)}`,
  breaker_changed: (it) => `${it.worker}: ${words(it.before)} → ${words(it.after)}, ${it.reason}`,
  key_changed: (it) => `${it.worker}, key ${it.key}: ${words(it.state)}`,
  degradation_changed: (it) => `${words(it.before)} → ${words(it.after)}`,
  alert_changed: (it) => `${words(it.state)}: ${it.message}`,
  dead_letter_kept: (it) => `${words(it.error)}, ${it.door}`,
  dead_letter_retried: (it) => `status ${it.status}`,
  config_reloaded: (it) => it.changes.join(", "),
  client_key_changed: (it) => `${it.key_id}: ${words(it.state)}`,
  cluster_link_changed: (it) => it.reason ?? "up",
  fleet_line_changed: (it) => it.reason ?? (it.is_blocked ? "blocked" : "up"),
  cluster_state_changed: (it) => [it.state, it.reason].filter(Boolean).join(": "),
  agent_reported: (it) => `${whoOf(it)}: ${it.changes.join(", ")}`,
  fleet_command_done: (it) =>
    [whoOf(it), it.problem ?? (it.response_s === null && "no answer")].filter(Boolean).join(": "),
  fleet_worker_refused: (it) => `${it.worker}: ${it.problems.join(", ")}`,
};

const whoOf = ({ agent, worker }) => [agent, worker].filter(Boolean).join(" · ");

const WHO_AND_WHY = [
  "node",
  "agent",
  "worker",
  "database",
  "channel",
  "queue",
  "what",
  "reason",
  "problem",
];

function about(event) {
  if (event.child !== undefined) return [event.child, event.cause].filter(Boolean).join(": ");
  const tellOf = ABOUT[event.kind];
  return tellOf
    ? tellOf(event)
    : WHO_AND_WHY.map((field) => event[field])
        .filter(Boolean)
        .join(": ");
}

function showHappenings(signal) {
  const log = document.getElementById("happenings");
  onEvents((event) => {
    // The charts tell of what goes well; here is what somebody might have to know.
    if (event.kind === "exchange_ended" && event.outcome === "served") return;
    log.querySelector(".empty")?.remove();
    const line = copyOf("happening");
    setTime(field(line, "at"), event.at, clock(event.at));
    fill(line, { what: words(event.kind), about: about(event) });
    log.prepend(line);
    while (log.children.length > HAPPENINGS_MAX) log.lastElementChild.remove();
  }, signal);
}
