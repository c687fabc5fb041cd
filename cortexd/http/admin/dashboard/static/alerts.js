/* What needs a person. */

import { order, pathOf } from "./api.js";
import { act, tell } from "./dialogs.js";
import { copyOf, field, fill, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { keepFresh } from "./events.js";
import { refreshDashboard } from "./feed.js";
import { clock, counted, number } from "./format.js";

const ORDER = ["firing", "acknowledged", "pending", "resolved"];
const SEVERITY_TONES = { critical: "bad", warning: "warn", info: "idle" };

export function alerts(_page, signal) {
  const show = ({ items, channels }) => {
    showAlerts(items, acknowledge);
    showChannels(channels ?? []);
  };
  const refresh = keepFresh({ path: "/admin/alerts", show, signal, kinds: ["alert_changed"] });
  const acknowledge = async (button, { id, rule }) => {
    await act(button, async () => {
      await order("POST", `${pathOf("alerts", id)}/acknowledge`);
      tell(`${words(rule)} is acknowledged.`);
    });
    refresh();
    refreshDashboard();
  };
}

function showAlerts(items, acknowledge) {
  const sorted = items.toSorted(
    (one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state),
  );
  const firing = items.filter(({ state }) => state === "firing").length;
  setText(
    document.getElementById("alerts-sum"),
    firing ? `${counted(firing, "alert")} firing` : "none firing",
  );
  document.getElementById("no-alerts").hidden = items.length > 0;
  showRows(document.getElementById("alert-list"), sorted, {
    key: ({ id }) => id,
    make: (alert) => makeRow(alert, acknowledge),
    show: showRow,
  });
}

/** Where alerts go, and what keeps them from getting there. */
function showChannels(channels) {
  const told = channels.map(({ name, failure, queued }) => {
    if (failure) return `${name} fails: ${failure}`;
    return queued ? `${name}, ${number(queued)} waiting` : name;
  });
  setText(
    document.getElementById("channels"),
    told.length ? `Sent to ${told.join(" · ")}` : "Sent to nobody.",
  );
}

function makeRow(alert, acknowledge) {
  const row = copyOf("alert");
  const button = row.querySelector("button");
  button.setAttribute("aria-label", `Acknowledge ${words(alert.rule)}`);
  button.addEventListener("click", () => acknowledge(button, alert));
  return row;
}

function showRow(row, alert) {
  fill(row, {
    rule: [words(alert.rule), alert.target].filter(Boolean).join(" · "),
    message: alert.message,
    count: number(alert.count),
  });
  setStatus(field(row, "severity"), alert.severity, SEVERITY_TONES[alert.severity]);
  setStatus(
    field(row, "state"),
    alert.state,
    alert.state === "firing" ? SEVERITY_TONES[alert.severity] : undefined,
  );
  setTime(field(row, "since"), alert.since_at, clock(alert.since_at));
  setTime(field(row, "fired"), alert.last_fired_at, clock(alert.last_fired_at));
  row.querySelector("button").hidden = alert.state !== "firing";
}
