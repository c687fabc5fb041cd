/* Agents beside model servers elsewhere: how they are, and what they can be told. */

import { order, pathOf } from "./api.js";
import { act, confirmed, tell } from "./dialogs.js";
import { copyOf, field, fill, offer, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { keepFresh } from "./events.js";
import { refreshDashboard } from "./feed.js";
import { showActivity } from "./fleet_activity.js";
import { clock, counted, milliseconds, number, percent, seconds } from "./format.js";

const KINDS = [
  "agent_left",
  "agent_lost",
  "agent_registered",
  "agent_reported",
  "agent_returned",
  "fleet_command_done",
  "fleet_line_changed",
];

export function fleet(_page, signal) {
  const agentChoice = document.getElementById("activity-of");
  const refresh = keepFresh({
    path: "/admin/fleet",
    show: (now) => {
      showFleet(now, command);
      offer(
        agentChoice,
        now.agents.map(({ name }) => name),
      );
    },
    signal,
    kinds: KINDS,
  });
  const refreshActivity = showActivity(agentChoice, signal);
  const command = async (button, verb, agent, worker) => {
    if (verb === "drain" && !(await isMeant(agent))) return;
    const row = button.closest("tr");
    setBusy(row, true);
    await act(button, async () => {
      const path = pathOf("fleet", "agents", agent, verb);
      const { response_ms: took } = await order("POST", path, worker ? { worker } : {});
      tell(`${nameOf(agent, worker)} ${DONE[verb]}. It answered in ${milliseconds(took)}.`);
    });
    setBusy(row, false);
    refresh();
    refreshActivity();
    refreshDashboard();
  };
}

const DONE = {
  activate: "is back in rotation",
  deactivate: "gets no new requests",
  drain: "finishes what it is answering",
  ping: "is there",
};

/** As the workers of agents are called everywhere else: two of them may have the same of one. */
const nameOf = (agent, worker) => (worker ? `${agent}.${worker}` : agent);

const isMeant = (agent) =>
  confirmed(
    `Drain ${agent}?`,
    "Its workers finish what they are answering and leave this node, until they are activated.",
    "Drain",
  );

/** While an agent has not answered, it is told nothing else. */
function setBusy(row, isBusy) {
  row.setAttribute("aria-busy", String(isBusy));
  for (const button of row.querySelectorAll("button")) button.disabled = isBusy;
}

function showFleet({ enabled, broker, demonstration, agents }, command) {
  document.getElementById("fleet-off").hidden = enabled;
  document.getElementById("fleet-on").hidden = !enabled;
  setText(document.getElementById("fleet-sum"), enabled ? sumOf(agents, broker) : "");
  if (!enabled) return;
  showBroker(broker);
  const shown = document.getElementById("demonstration");
  shown.hidden = !demonstration.enabled;
  fill(shown, { period: `every ${seconds(demonstration.period_seconds)}` });
  document.getElementById("no-agents").hidden = agents.length > 0;
  showRows(document.getElementById("agents"), agents, {
    key: ({ name }) => name,
    make: ({ name }) => makeRow("agent", command, name),
    show: (group, agent) => showAgent(group, agent, command),
  });
}

function sumOf(agents, broker) {
  const here = agents.filter(({ state }) => state === "available").length;
  const workers = agents.reduce((sum, agent) => sum + agent.workers.length, 0);
  const told = [counted(agents.length, "agent"), `${number(here)} available`];
  told.push(counted(workers, "worker"));
  if (broker.up && !broker.blocked) told.push("broker up");
  return told.join(", ");
}

function showBroker({ up, blocked, failure }) {
  const banner = document.getElementById("broker");
  banner.hidden = up && !blocked;
  fill(banner, {
    what: up ? "The broker is blocked" : "The broker is down",
    why: failure ? ` (${failure})` : "",
  });
}

function makeRow(template, command, agent, worker) {
  const row = copyOf(template);
  for (const button of row.querySelectorAll("button")) {
    button.addEventListener("click", () => command(button, button.dataset.command, agent, worker));
    button.setAttribute("aria-label", `${button.textContent} ${nameOf(agent, worker)}`);
  }
  return row;
}

function showAgent(group, agent, command) {
  const active = agent.workers.filter((worker) => worker.active).length;
  const isGone = agent.state === "left";
  const { sent, failed, response_ms: response } = agent.commands;
  fill(group, {
    name: agent.name,
    version: agent.version,
    switched: isGone ? "" : `${number(active)} of ${number(agent.workers.length)} active`,
    period: `every ${seconds(agent.status_period_seconds)}`,
    activity: number(agent.activity),
    load: percent(agent.load),
    response: milliseconds(response.last),
    usual: sent ? `p50 ${milliseconds(response.p50)} · p95 ${milliseconds(response.p95)}` : "",
    commands: `${number(sent)} sent${failed ? `, ${number(failed)} failed` : ""}`,
  });
  setStatus(field(group, "state"), agent.state);
  setTime(field(group, "told"), agent.last_status_at, clock(agent.last_status_at));
  showToggle(group, active > 0, agent.name);
  const rest = group.querySelector('[data-command="activate"]:not([data-toggle])');
  rest.hidden = active === 0 || active === agent.workers.length;
  group.querySelector(".buttons").hidden = isGone;
  showRows(group, agent.workers, {
    key: ({ name }) => name,
    make: ({ name }) => makeRow("fleet-worker", command, agent.name, name),
    show: (row, worker) => showWorker(row, worker, agent),
  });
}

/** What it is for this node; of an agent that is silent, nobody knows. */
function rotationOf({ active, drained, reachable, taken_on: isTakenOn }, agent) {
  if (agent.state !== "available") return [agent.state];
  if (drained) return ["drained", "idle"];
  if (!active) return ["deactivated", "idle"];
  if (!isTakenOn) return ["refused by this node", "bad"];
  return reachable ? ["active", "ok"] : ["unreachable", "bad"];
}

function showWorker(row, worker, agent) {
  fill(row, {
    name: worker.name,
    type: words(worker.type),
    in_flight: `${number(worker.in_flight)} in flight`,
    activity: number(worker.activity),
  });
  setStatus(field(row, "state"), ...rotationOf(worker, agent));
  showToggle(row, worker.active, nameOf(agent.name, worker.name));
  row.querySelector(".buttons").hidden = agent.state === "left";
}

/** The one button that is the other one afterwards, so that it keeps the focus. */
function showToggle(row, isActive, name) {
  const toggle = row.querySelector("[data-toggle]");
  toggle.dataset.command = isActive ? "deactivate" : "activate";
  setText(toggle, isActive ? "Deactivate" : "Activate");
  toggle.setAttribute("aria-label", `${toggle.textContent} ${name}`);
}
