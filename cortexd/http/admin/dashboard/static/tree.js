/* The supervision tree as it lives: who runs, who has been restarted, whose mailbox fills. */

import { copyOf, field, fill, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { onDashboard } from "./feed.js";
import { clock, counted, number, seconds } from "./format.js";

const ENDS_SHOWN_MAX = 50;

export function tree(page, signal) {
  const only = document.getElementById("only-troubled");
  let latest = null;
  const show = () => {
    if (!latest) return;
    const roots = only.checked ? troubledOnly([latest]) : [latest];
    showNodes(document.getElementById("tree"), roots);
    const all = flattened(latest);
    const sum = all.reduce((total, { restarts }) => total + restarts, 0);
    setText(
      document.getElementById("tree-sum"),
      `${number(all.length)} in all, ${counted(sum, "restart")}`,
    );
    showEnds(all);
  };
  onDashboard(({ tree: root }) => {
    latest = root;
    show();
  }, signal);
  only.addEventListener("change", show);
}

function flattened(node) {
  return [node, ...node.children.flatMap(flattened)];
}

/** The nodes that have restarted, with those above them. */
function troubledOnly(nodes) {
  return nodes
    .map((node) => ({ ...node, children: troubledOnly(node.children) }))
    .filter((node) => node.restarts > 0 || node.children.length > 0);
}

function showNodes(list, nodes) {
  showRows(list, nodes, { key: ({ path }) => path, make: makeNode, show: showNode });
}

function makeNode({ path }) {
  const row = copyOf("node");
  const fold = row.querySelector(".fold");
  fold.setAttribute("aria-label", `Show what is below ${nameOf(path)}`);
  fold.addEventListener("click", () => {
    const open = fold.getAttribute("aria-expanded") !== "true";
    fold.setAttribute("aria-expanded", String(open));
    row.querySelector(":scope > ul").hidden = !open;
  });
  return row;
}

function nameOf(path) {
  return path.split("/").filter(Boolean).at(-1) ?? "root";
}

function showNode(row, node) {
  const line = row.querySelector(".node");
  const isActor = node.kind !== "supervisor" && (node.handled > 0 || node.mailbox_high > 0);
  fill(line, {
    name: nameOf(node.path),
    kind: words(node.strategy ?? (node.kind === "supervisor" ? "supervisor" : "")),
    uptime: node.state === "running" ? seconds(Math.floor(node.uptime)) : "",
    restarts: number(node.restarts),
    mailbox: isActor ? `${number(node.mailbox_depth)} · max ${number(node.mailbox_high)}` : "",
    now: occupation(node),
  });
  line.title = node.last_exit ? `last exit: ${node.last_exit}` : node.path;
  line.classList.toggle("troubled", node.restarts > 0);
  setStatus(field(line, "state"), node.state);
  line.querySelector(".fold").toggleAttribute("data-leaf", node.children.length === 0);
  showNodes(row.querySelector(":scope > ul"), node.children);
}

/** What it is at: the message it handles, or how its last incarnation ended. */
function occupation({
  current_handler: handler,
  handler_age: age,
  last_exit: exit,
  mailbox_full: full,
}) {
  if (handler) return `${handler} for ${seconds(age)}`;
  if (exit) return `was ended: ${exit}`;
  return full ? `mailbox was full ${counted(full, "time")}` : "";
}

/** The latest ends of all children, the newest first. */
function showEnds(nodes) {
  const ends = nodes.flatMap(({ path, exits }) => exits.map((end) => ({ path, ...end })));
  ends.sort((one, other) => other.exited_at.localeCompare(one.exited_at));
  document.getElementById("no-restarts").hidden = ends.length > 0;
  showRows(document.getElementById("restarts"), ends.slice(0, ENDS_SHOWN_MAX), {
    key: ({ path, incarnation }) => `${path} ${incarnation}`,
    make: () => copyOf("restart"),
    show(row, { path, incarnation, exited_at: at, uptime_seconds: uptime, reason }) {
      setTime(field(row, "at"), at, clock(at));
      fill(row, {
        what: path || "root",
        about: `no. ${number(incarnation)} ended after ${seconds(uptime)}: ${reason}`,
      });
    },
  });
}
