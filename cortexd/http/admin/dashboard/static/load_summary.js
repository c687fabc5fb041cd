/* What a run of the load monitor has come to. */

import { copyOf, fill, showRows, words } from "./dom.js";
import { bytes, milliseconds, NOTHING, number, percent, seconds } from "./format.js";

const MIB = 1024 * 1024;
const SPREAD = ["min", "mean", "p50", "p95", "max"];

/** How the values of a series are told, by the end of its name; the others are plain numbers. */
const TELLERS = [
  [/_lag_ms$/, "_ms", (ms) => `${number(ms)} ms`],
  [/_rate$/, "", percent],
  [/_mib$/, /_mib$/, (mib) => bytes(mib * MIB)],
  [/_bytes$/, /_bytes$/, bytes],
  [/_ms(_p\d+)?$/, "_ms", milliseconds],
];

/** Shows the sum of the run that has ended, if there is one. */
export function showSummary(summary) {
  const place = document.getElementById("load-summary");
  place.hidden = !summary;
  document.getElementById("load-spreads").hidden = !summary;
  if (!summary) return;
  const { latency_ms: latency, memory_mib_per_minute: growth } = summary;
  fill(place, {
    requests: number(summary.requests),
    rate: `${number(summary.requests_per_second)}/s for ${seconds(summary.duration_seconds)}`,
    errors: percent(summary.error_rate),
    failed: `${number(summary.errors)} failed, ${percent(summary.turned_away_rate)} turned away`,
    p95: milliseconds(latency.p95),
    latency: `p50 ${milliseconds(latency.p50)} · p99 ${milliseconds(latency.p99)}`,
    growth: growth === null ? NOTHING : `${number(growth)} MiB/min`,
  });
  showRows(document.getElementById("spreads"), Object.entries(summary.series), {
    key: ([name]) => name,
    make: () => copyOf("spread"),
    show(row, [name, spread]) {
      const [, unit, tell] = TELLERS.find(([pattern]) => pattern.test(name)) ?? [null, "", number];
      const told = SPREAD.map((each) => [each, tell(spread[each])]);
      fill(row, { name: words(name.replace(unit, "")), ...Object.fromEntries(told) });
    },
  });
}
