/* The workers: what they do, and what can be done to them. */

import { order, pathOf } from "./api.js";
import { act, confirmed, tell, tend } from "./dialogs.js";
import { copyOf, field, fill, setStatus, setText, showRows, words } from "./dom.js";
import { onDashboard, refreshDashboard } from "./feed.js";
import { counted, milliseconds, number, seconds } from "./format.js";

const NUMBERS = ["priority", "weight", "max_concurrency", "queue_max"];
const LISTS = ["models", "api_keys"];

/** The word for a worker's state, and its tone where the word does not say it. */
export function stateOf({ active, status, skipped }) {
  if (!active) return ["deactivated", "idle"];
  // It is well as far as its checks say, but gets nothing all the same.
  if (status === "available" && skipped)
    return [skipped, skipped === "rate limited" ? "warn" : "bad"];
  return [status, undefined];
}

export function workers(page, signal) {
  tend(page, signal);
  const list = document.getElementById("workers");
  let latest = new Map();
  onDashboard(({ workers: all, pools }) => {
    latest = new Map(all.map((worker) => [worker.name, worker]));
    setText(
      document.getElementById("pool"),
      `${counted(all.length, "worker")}, ${words(pools.strategy)}`,
    );
    document.getElementById("no-workers").hidden = all.length > 0;
    showRows(list, all, {
      key: ({ name }) => name,
      make: ({ name }) =>
        makeRow(name, (action, button) => actions[action](button, latest.get(name))),
      show: showWorker,
    });
  }, signal);
  prepareAdding();
}

function makeRow(name, run) {
  const row = copyOf("worker");
  for (const button of row.querySelectorAll("[data-action]")) {
    // Read out by itself, "Check" would not say whom.
    button.setAttribute("aria-label", `${button.textContent} ${name}`);
    button.addEventListener("click", () => run(button.dataset.action, button));
  }
  return row;
}

function showWorker(row, worker) {
  const { breaker } = worker;
  fill(row, {
    name: worker.name,
    kind: [worker.type, ...worker.models, worker.until_restart && "until the next start"]
      .filter(Boolean)
      .join(" · "),
    why: worker.reason,
    load: `${number(worker.in_flight)} of ${number(worker.max_concurrency)}`,
    queued: worker.queued ? `${number(worker.queued)} waiting` : "",
    ttft: milliseconds(worker.ttft_s === null ? null : worker.ttft_s * 1000),
    score: number(worker.score),
    rest: breaker.retry_in_s > 0 ? `tries again in ${seconds(Math.ceil(breaker.retry_in_s))}` : "",
  });
  row.querySelector("meter").value = Math.min(
    1,
    worker.in_flight / Math.max(1, worker.max_concurrency),
  );
  setStatus(field(row, "state"), ...stateOf(worker));
  setStatus(field(row, "breaker"), breaker.state);
  showKeys(row, worker.keys);
  const activity = row.querySelector('[data-action="activity"]');
  setText(activity, worker.active ? "Deactivate" : "Activate");
  activity.setAttribute("aria-label", `${activity.textContent} ${worker.name}`);
  row.querySelector('[data-action="reset"]').hidden = breaker.state === "closed";
}

function showKeys(row, keys) {
  const good = keys.filter(({ state }) => state === "good").length;
  setText(field(row, "keys"), keys.length ? `${good} of ${keys.length} good` : "none needed");
  showRows(row.querySelector(".keys"), keys, {
    key: ({ index }) => index,
    make: () => document.createElement("i"),
    show(square, { state }) {
      square.dataset.tone = state === "good" ? "ok" : state === "limited" ? "warn" : "bad";
      square.title = words(state);
    },
  });
}

const actions = {
  activity: (button, { name, active }) =>
    change(button, async () => {
      await order("POST", pathOf("workers", name, active ? "deactivate" : "activate"));
      tell(active ? `${name} gets no new requests.` : `${name} is back in rotation.`);
    }),
  check: (button, { name }) =>
    change(button, async () => {
      const checked = await order("POST", pathOf("workers", name, "check"));
      const why = checked.reason ? `: ${checked.reason}` : "";
      tell(
        `${name} is ${words(checked.status)}${why}.`,
        checked.status === "available" ? "ok" : "bad",
      );
    }),
  reset: (button, { name }) =>
    change(button, async () => {
      await order("POST", pathOf("breakers", name, "reset"));
      tell(`The breaker of ${name} is closed.`);
    }),
  async remove(button, { name, in_flight: running }) {
    const text = `It finishes the ${counted(running, "request")} it is answering and gets no more.`;
    if (!(await confirmed(`Remove ${name}?`, text, "Remove"))) return;
    await change(button, async () => {
      await order("DELETE", pathOf("workers", name));
      tell(`${name} is leaving.`);
    });
  },
};

async function change(button, work) {
  await act(button, work);
  refreshDashboard();
}

function prepareAdding() {
  const dialog = document.getElementById("add-worker");
  const form = document.getElementById("add-form");
  const problems = document.getElementById("add-problems");
  document.getElementById("add").addEventListener("click", () => {
    form.reset();
    problems.replaceChildren();
    dialog.showModal();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problems.replaceChildren();
    const settings = settingsIn(form);
    try {
      await order("POST", "/admin/workers", settings);
      dialog.close();
      tell(`${settings.name} has joined.`);
      refreshDashboard();
    } catch (error) {
      problems.append(...(error.problems?.length ? error.problems : [error.message]).map(item));
    }
  });
}

function item(text) {
  const line = document.createElement("li");
  line.textContent = text;
  return line;
}

/** What has been filled in, as one `[[workers]]` table. */
function settingsIn(form) {
  const settings = {};
  for (const [name, value] of new FormData(form)) {
    const text = value.trim();
    if (!text) continue;
    if (NUMBERS.includes(name)) settings[name] = Number(text);
    else if (LISTS.includes(name))
      settings[name] = text
        .split(",")
        .map((each) => each.trim())
        .filter(Boolean);
    else settings[name] = text;
  }
  return settings;
}
