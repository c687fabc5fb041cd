/* The load monitor: the node sampled while it is under test, and what that came to. */

import { order } from "./api.js";
import { act, tell } from "./dialogs.js";
import { setText } from "./dom.js";
import { keepFresh } from "./events.js";
import { clock, counted, seconds } from "./format.js";
import { loadCharts } from "./load_charts.js";
import { loadSamples } from "./load_samples.js";
import { showSummary } from "./load_summary.js";

export function load(_page, signal) {
  const charts = loadCharts(document.getElementById("load-charts"), signal);
  const form = document.getElementById("load-switch");
  const button = form.querySelector("button");
  const kept = loadSamples();
  let isRunning = false;
  const refresh = keepFresh({
    path: kept.path,
    show: (told) => {
      const run = kept.whole(told);
      isRunning = run.running;
      showSwitch(form, run);
      setText(document.getElementById("load-sum"), sumOf(run));
      document.getElementById("load-never").hidden = run.started_at !== null;
      charts.show(run);
      showSummary(run.summary);
    },
    signal,
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wish = isRunning ? undefined : wishOf(form);
    await act(button, async () => {
      if (wish) {
        const run = await order("POST", "/admin/load-monitor/start", wish);
        tell(`The load monitor takes a sample each ${seconds(run.interval_seconds)}.`);
      } else {
        await order("POST", "/admin/load-monitor/stop");
        tell("The load monitor is stopped.");
      }
    });
    refresh();
  });
}

/** One button that is the other one afterwards; what has been asked for stays in the fields. */
function showSwitch(form, { running, interval_seconds: interval }) {
  const button = form.querySelector("button");
  setText(button, running ? "Stop" : "Start");
  button.classList.toggle("primary", !running);
  button.classList.toggle("danger", running);
  for (const input of form.querySelectorAll("input")) input.disabled = running;
  if (running) form.elements.interval_seconds.value = interval;
}

/** What has been filled in. What is left open, the node decides. */
function wishOf(form) {
  const filled = [...new FormData(form)].filter(([, value]) => value.trim());
  return Object.fromEntries(filled.map(([name, value]) => [name, Number(value)]));
}

function sumOf({ running, started_at: started, stopped_at: stopped, samples }) {
  if (!started) return "not started yet";
  const count = counted(samples.length, "sample");
  return running
    ? `running since ${clock(started)}, ${count}`
    : `stopped at ${clock(stopped)}, ${count} since ${clock(started)}`;
}
