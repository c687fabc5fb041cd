/* The samples of the load monitor as lines: one chart for each of its measures. */

import { chart } from "./charts.js";
import { copyOf, fill } from "./dom.js";
import { milliseconds, NOTHING, number, percent } from "./format.js";

/** Shares are percent in the charts. */
const inPercent = (share) => (share === null || share === undefined ? null : share * 100);
const tellPercent = ([share]) => percent(share === null ? null : share / 100);

/** What is drawn: a tone for each line, and the values of a sample in the order of the lines. */
const CHARTS = {
  requests: {
    title: "Requests per second",
    tones: ["accent"],
    values: (sample) => [sample.requests_per_second],
    tell: ([now]) => number(now),
  },
  latency: {
    title: "Latency",
    tones: ["accent", "warn", "bad"],
    floor: 100,
    values: ({ latency_ms: { p50, p95, p99 } }) => [p50, p95, p99],
    tell: ([p50, p95, p99]) =>
      `p50 ${milliseconds(p50)} · p95 ${milliseconds(p95)} · p99 ${milliseconds(p99)}`,
  },
  errors: {
    title: "Error rate",
    tones: ["bad"],
    floor: 10,
    values: (sample) => [inPercent(sample.error_rate)],
    tell: tellPercent,
  },
  in_flight: {
    title: "In flight",
    tones: ["accent", "warn"],
    floor: 4,
    values: ({ pool }) => [pool.in_flight, pool.queued],
    tell: ([running, waiting]) => `${number(running)}, ${number(waiting)} waiting`,
  },
  memory: {
    title: "Memory",
    tones: ["accent"],
    floor: 50,
    values: (sample) => [sample.memory_mib],
    tell: ([mib]) => (mib === null ? NOTHING : `${number(mib)} MiB`),
  },
  loop_lag: {
    title: "Loop lag",
    tones: ["warn"],
    floor: 10,
    values: (sample) => [sample.loop_lag_ms],
    tell: ([ms]) => (ms === null ? NOTHING : `${number(ms)} ms`),
  },
  breakers: {
    title: "Breakers",
    tones: ["bad", "warn"],
    floor: 4,
    values: ({ breakers }) => [breakers.open, breakers.half_open],
    tell: ([open, trying]) => `${number(open)} open · ${number(trying)} half open`,
  },
  workers: {
    title: "Workers available",
    tones: ["ok", "idle"],
    floor: 4,
    values: (sample) => [sample.workers_available, sample.workers],
    tell: ([available, all]) => `${number(available)} of ${number(all)}`,
  },
  cache: {
    title: "Cache hit rate",
    tones: ["ok"],
    floor: 100,
    values: ({ cache }) => [inPercent(cache.hit_rate)],
    tell: tellPercent,
  },
  tasks: {
    title: "Tasks",
    tones: ["accent"],
    floor: 50,
    values: (sample) => [sample.tasks],
    tell: ([now]) => number(now),
  },
};

/** Charts in `place`, there as soon as there has been a run, until the signal. */
export function loadCharts(place, signal) {
  let drawn = null;
  let latest = null;
  return {
    /** Draws a run, unless it is drawn already. */
    show({ started_at: started, samples }) {
      place.hidden = started === null;
      if (started === null) return;
      // Sized by where they are, so not before they are to be seen.
      drawn ??= Object.entries(CHARTS).map(([name, each]) => makeChart(place, name, each, signal));
      const newest = `${started} ${samples.length}`;
      if (newest === latest) return;
      latest = newest;
      const times = samples.map(({ at }) => Date.parse(at) / 1000);
      for (const { line, values } of drawn) line.replace(times, samples.map(values));
    },
  };
}

function makeChart(place, name, { title, tones, values, tell, floor }, signal) {
  const figure = copyOf("load-chart");
  figure.dataset.chart = name;
  fill(figure, { title });
  place.append(figure);
  const series = tones.map((tone, index) => ({ name: `${name} ${index}`, tone }));
  return { values, line: chart(figure, { series, tell, floor, signal }) };
}
