/* The dashboard document, asked for once for all who show something of it. */

import { keepFresh } from "./events.js";

const listeners = new Set();
let latest = null;
let refresh = () => {};

const KINDS = [
  "worker_status_changed",
  "worker_registered",
  "worker_unregistered",
  "worker_activated",
  "worker_deactivated",
  "breaker_changed",
  "degradation_changed",
  "alert_changed",
  "dead_letter_kept",
  "child_restarted",
  "config_reloaded",
];

/** Begins to ask; goes on for as long as the shell is there. */
export function begin() {
  const show = (document) => {
    latest = document;
    for (const listener of listeners) listener(document);
  };
  refresh = keepFresh({
    path: "/admin/dashboard",
    show,
    signal: new AbortController().signal,
    kinds: KINDS,
  });
}

/** Calls `show` with each document, and with the one at hand, until the signal. */
export function onDashboard(show, signal) {
  listeners.add(show);
  signal.addEventListener("abort", () => listeners.delete(show));
  if (latest) show(latest);
}

/** Asks at once: something has been done that must show. */
export function refreshDashboard() {
  refresh();
}
