/* The nodes that share a Redis, and the workers as each of them sees them. */

import {
  copyOf,
  field,
  fill,
  offer,
  setStatus,
  setText,
  setTime,
  showRows,
  toneOf,
  words,
} from "./dom.js";
import { keepFresh } from "./events.js";
import { clock, counted, NOTHING, number, seconds } from "./format.js";

const KINDS = [
  "cluster_link_changed",
  "cluster_state_changed",
  "node_joined",
  "node_left",
  "worker_activated",
  "worker_deactivated",
  "worker_registered",
  "worker_status_changed",
  "worker_unregistered",
];
const STATE_TONES = { member: "ok", alone: "warn" };

export function cluster(_page, signal) {
  const type = document.getElementById("of-type");
  const refresh = keepFresh({
    path: () => `/admin/cluster${type.value && `?type=${encodeURIComponent(type.value)}`}`,
    show: (now) => showCluster(now, type),
    signal,
    kinds: KINDS,
  });
  type.addEventListener("change", refresh);
}

function showCluster(now, type) {
  const off = document.getElementById("cluster-off");
  const on = document.getElementById("cluster-on");
  const alone = document.getElementById("alone");
  off.hidden = now.enabled;
  on.hidden = !now.enabled;
  setText(document.getElementById("cluster-sum"), now.enabled ? sumOf(now) : "");
  if (!now.enabled) return;
  alone.hidden = now.state !== "alone";
  fill(alone, { reason: now.reason ? `: ${now.reason}` : "" });
  showTiles(on.querySelector(".tiles"), now);
  showUnshared(now.unshared);
  showNodes(now);
  showWorkers(now, type);
}

function sumOf({ cluster, state, nodes }) {
  const who = { alone: "this node alone", member: counted(nodes.length, "node") }[state] ?? state;
  return [cluster, who].filter(Boolean).join(" · ");
}

function showTiles(tiles, { state, node, leader, is_leader: leads, nodes, lease_seconds, redis }) {
  fill(tiles, {
    node,
    leader: leader ?? NOTHING,
    leads: leads ? "this node: it sends the alerts" : leader ? "sends the alerts" : "nobody leads",
    nodes: number(nodes.length),
    lease: `on a lease of ${seconds(lease_seconds)}`,
    failure: redis.failure ?? "",
  });
  field(tiles, "failure").title = redis.failure ?? "";
  field(tiles, "leader").title = leader ?? "";
  setStatus(field(tiles, "state"), state, STATE_TONES[state]);
  setStatus(field(tiles, "redis"), redis.up ? "up" : "down", redis.up ? "ok" : "bad");
}

/** What has been done to a worker, and is not so everywhere. */
function showUnshared(unshared) {
  const list = document.getElementById("unshared");
  list.hidden = unshared.length === 0;
  showRows(list, unshared, {
    key: ({ worker }) => worker,
    make: () => copyOf("unshared-worker"),
    show: fill,
  });
}

function showNodes({ nodes, state, distribution }) {
  const all = Object.values(distribution).reduce((sum, { workers }) => sum + workers, 0);
  showRows(document.getElementById("nodes"), nodes, {
    key: ({ name }) => name,
    make: () => copyOf("node"),
    show(row, node) {
      const { load } = node;
      fill(row, {
        name: node.name,
        address: [node.address, node.version].filter(Boolean).join(" · "),
        self: node.is_self ? "this node" : "",
        in_flight: number(load.in_flight),
        requests: number(load.requests_per_second),
        available: `${number(load.workers_available)} of ${number(load.workers)}`,
        token: state === "member" ? `token ${node.token}` : "",
      });
      setStatus(field(row, "role"), ...roleOf(node, state));
      setStatus(field(row, "status"), node.status);
      setStatus(field(row, "level"), node.degradation_level);
      const joined = state === "member" ? node.joined_at : null;
      setTime(field(row, "joined"), joined, clock(joined));
      showShare(row, distribution[node.name] ?? { workers: 0, by_type: {} }, all);
    },
  });
}

function roleOf({ is_leader: leads }, state) {
  if (leads) return ["leader", "ok"];
  return [state, state === "alone" ? "warn" : "idle"];
}

function showShare(row, { workers, by_type: types }, all) {
  const told = Object.entries(types).map(([type, count]) => `${number(count)} ${type}`);
  fill(row, { owned: number(workers), types: told.join(", ") });
  row.querySelector("meter").value = workers / Math.max(1, all);
}

function showWorkers({ workers, distribution, state }, choice) {
  const unowned = state === "member" ? "nobody yet" : NOTHING;
  offer(choice, [
    ...workers.map(({ type }) => type),
    ...Object.values(distribution).flatMap(({ by_type: types }) => Object.keys(types)),
  ]);
  setText(document.getElementById("cluster-workers-sum"), counted(workers.length, "worker"));
  document.getElementById("no-cluster-workers").hidden = workers.length > 0;
  showRows(document.getElementById("cluster-workers"), workers, {
    key: ({ name }) => name,
    make: () => copyOf("cluster-worker"),
    show(row, { name, type, active, owner, where, states, breakers }) {
      fill(row, { name, type, owner: owner ?? unowned, where });
      setStatus(field(row, "active"), active ? "active" : "deactivated");
      showStates(row.querySelector(".chips"), { active, states, breakers });
    },
  });
}

/** What each node has found out by itself; its breaker where that is in the way. */
function showStates(list, { active, states, breakers }) {
  const nodes = [...new Set([...Object.keys(states), ...Object.keys(breakers)])];
  showRows(list, nodes, {
    key: (node) => node,
    make: () => copyOf("state-there"),
    show(chip, node) {
      const state = states[node] ?? NOTHING;
      const breaker = breakers[node] ?? "closed";
      const isClosed = breaker === "closed";
      fill(chip, { node, state: words(isClosed ? state : `${state}, breaker ${breaker}`) });
      // One that is to rest cannot be missed.
      chip.dataset.tone = active ? toneOf(isClosed ? state : breaker) : "idle";
    },
  });
}
