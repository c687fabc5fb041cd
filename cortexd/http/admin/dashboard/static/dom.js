/* The page's elements. Values only ever get in as text. */

/** A copy of what the template holds. */
export function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Sets the text of an element, leaving it alone where it says so already. */
export function setText(element, value) {
  const text = value === null || value === undefined ? "" : String(value);
  if (element.textContent !== text) element.textContent = text;
}

/** The element below `root` that shows this field. */
export function field(root, name) {
  return root.querySelector(`[data-field="${name}"]`);
}

/** Writes each value into the element that shows the field of its name. */
export function fill(root, values) {
  for (const [name, value] of Object.entries(values)) {
    const element = field(root, name);
    if (element) setText(element, value);
  }
}

/** Shows a word in its colour. */
export function setStatus(element, word, tone) {
  setText(element, words(word));
  element.dataset.tone = tone ?? toneOf(word);
}

/** Shows a point in time; the whole of it where one points at it. */
export function setTime(element, iso, text) {
  setText(element, text);
  element.dateTime = iso ?? "";
  element.title = iso ? new Date(iso).toLocaleString() : "";
}

/** `half_open` as people say it. */
export function words(name) {
  return name === null || name === undefined ? "" : String(name).replaceAll("_", " ");
}

/** Lets each of these values be chosen, beside what can be chosen already. */
export function offer(choice, values, nameOf = (value) => value) {
  const known = new Set([...choice.options].map(({ value }) => value));
  for (const value of new Set(values))
    if (!known.has(value)) choice.add(new Option(nameOf(value), value));
}

const TONES = {
  ok: ["active", "answered", "available", "busy", "closed", "good", "healthy", "running", "served"],
  warn: [
    "acknowledged",
    "client_left",
    "degraded",
    "draining",
    "half_open",
    "limited",
    "major_issues",
    "minor_issues",
    "pending",
    "rate limited",
    "refused",
    "restarting",
    "shed",
    "starting",
    "warning",
  ],
  bad: [
    "critical",
    "deadline_exceeded",
    "emergency",
    "exhausted",
    "failed",
    "firing",
    "no_workers",
    "node_stopped",
    "open",
    "rejected",
    "unavailable",
  ],
};
const TONE_BY_WORD = new Map(
  Object.entries(TONES).flatMap(([tone, names]) => names.map((name) => [name, tone])),
);

/** How well a word bodes: ok, warn, bad, or idle where it says nothing. */
export function toneOf(word) {
  return TONE_BY_WORD.get(String(word)) ?? "idle";
}

const rowsOf = new WeakMap();

/** Makes `list` show `items` in their order, with a row for each that stays the same row for as
    long as there is an item of that key: what has the focus keeps it, and nothing jumps. */
export function showRows(list, items, { key, make, show }) {
  const before = rowsOf.get(list) ?? new Map();
  const after = new Map();
  let next = firstRow(list, before);
  for (const item of items) {
    const id = key(item);
    const row = before.get(id) ?? make(item);
    after.set(id, row);
    show(row, item);
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
  for (const [id, row] of before) if (after.get(id) !== row) row.remove();
  rowsOf.set(list, after);
}

function firstRow(list, before) {
  const rows = new Set(before.values());
  return [...list.children].find((child) => rows.has(child)) ?? null;
}
