/* Requests that found no answer: to look at, to run again, to throw away. */

import { get, order, pathOf } from "./api.js";
import { act, confirmed, tell, tend } from "./dialogs.js";
import { copyOf, field, fill, offer, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { keepFresh } from "./events.js";
import { onDashboard, refreshDashboard } from "./feed.js";
import { bytes, clock, counted, NOTHING, number, short } from "./format.js";

const PAGE_SIZE = 50;
const SHOWN_MAX = 200;
const KINDS = ["dead_letter_kept", "dead_letter_retried", "dead_letters_dropped"];

export function deadLetters(page, signal) {
  tend(page, signal);
  const error = document.getElementById("error");
  const more = document.getElementById("more");
  let limit = PAGE_SIZE;
  const path = () => {
    const query = new URLSearchParams({ limit: String(limit) });
    if (error.value) query.set("error", error.value);
    return `/admin/dlq?${query}`;
  };
  const refresh = keepFresh({
    path,
    signal,
    kinds: KINDS,
    show: (list) => showList(list, actions, more),
  });
  const actions = makeActions(refresh);
  error.addEventListener("change", refresh);
  more.addEventListener("click", () => {
    limit = Math.min(limit + PAGE_SIZE, SHOWN_MAX);
    refresh();
  });
  onDashboard(({ dead_letter_queue: queue }) => showSum(queue?.stats ?? {}, error), signal);
  preparePurge(refresh);
}

function showSum({ total, by_error: byError, bytes: size, dropped, trouble }, choice) {
  const parts = [counted(total ?? 0, "letter")];
  if (trouble) parts.push(trouble);
  if (size) parts.push(bytes(size));
  if (dropped) parts.push(`${number(dropped)} dropped`);
  setText(document.getElementById("dlq-sum"), parts.join(", "));
  offer(choice, Object.keys(byError ?? {}), words);
}

function showList({ items, unreadable, next_cursor: next }, actions, more) {
  document.getElementById("no-letters").hidden = items.length > 0 || unreadable > 0;
  more.hidden = !next || items.length >= SHOWN_MAX;
  showRows(document.getElementById("letters"), items, {
    key: ({ id }) => id,
    make: ({ id }) => makeRow(id, actions),
    show: showRow,
  });
}

function makeRow(id, actions) {
  const row = copyOf("letter");
  for (const button of row.querySelectorAll("[data-action]")) {
    button.setAttribute("aria-label", `${button.textContent} ${id}`);
    button.addEventListener("click", () => actions[button.dataset.action](button, id));
  }
  return row;
}

function showRow(row, letter) {
  fill(row, {
    id: short(letter.id, 24),
    message: letter.error.message,
    model: letter.model ?? "any",
    door: letter.door,
    attempts: number(letter.attempts.length),
  });
  setTime(field(row, "kept"), letter.kept_at, clock(letter.kept_at));
  setStatus(field(row, "kind"), letter.error.kind, "bad");
  field(row, "message").title = letter.error.message ?? "";
  setStatus(field(row, "retried"), ...retriedWord(lastRetry(letter)));
  row.querySelector('[data-action="retry"]').hidden = !letter.has_body;
}

/** The last retry of a letter; only the letter's own document has the answer. */
const lastRetry = ({ retried, retries }) => retried ?? retries.last;

function retriedWord(retry) {
  if (!retry) return ["no", "idle"];
  const ok = retry.status < 400;
  return [ok ? "answered" : `failed, ${retry.status}`, ok ? "ok" : "bad"];
}

function makeActions(refresh) {
  const details = document.getElementById("letter-details");
  const done = () => {
    refresh();
    refreshDashboard();
  };
  let opened = null;
  const actions = {
    inspect: (button, id) =>
      act(button, async () => {
        showDetails(await get(pathOf("dlq", id)));
        opened = id;
        if (!details.open) details.showModal();
      }),
    async retry(button, id) {
      await act(button, async () => {
        const letter = await order("POST", `${pathOf("dlq", id)}/retry`);
        const [word, tone] = retriedWord(lastRetry(letter));
        tell(`The request was ${word === "answered" ? word : `retried and has ${word}`}.`, tone);
        if (details.open && opened === id) showDetails(letter);
      });
      done();
    },
    async delete(button, id) {
      if (
        !(await confirmed("Delete this dead letter?", "It cannot be retried any more.", "Delete"))
      )
        return;
      const isGone = await act(button, () => order("DELETE", pathOf("dlq", id)));
      if (isGone) details.close();
      done();
    },
  };
  for (const button of details.querySelectorAll("[data-action]")) {
    button.addEventListener("click", () => actions[button.dataset.action](button, opened));
  }
  return actions;
}

function showDetails(letter) {
  const list = document.getElementById("details");
  const facts = {
    Id: letter.id,
    Kept: clock(letter.kept_at),
    Error: `${words(letter.error.kind)}: ${letter.error.message ?? ""}`,
    Door: letter.door,
    Model: letter.model ?? "any",
    "Request id": letter.request_id,
    "Client key": letter.key_id ?? NOTHING,
    Size: bytes(letter.bytes),
  };
  list.replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [
      element("dt", name),
      element("dd", value),
    ]),
  );
  const attempts = document.getElementById("details-attempts");
  attempts.replaceChildren(
    ...letter.attempts.map(({ worker, error }) =>
      element("li", `${worker}: ${words(error)}`, "bad"),
    ),
  );
  if (!letter.attempts.length) attempts.append(element("li", "no worker was asked", "idle"));
  setText(
    document.getElementById("details-request"),
    letter.request ? pretty(letter.request) : "not kept",
  );
  const retry = lastRetry(letter);
  const answer = retry
    ? `${clock(retry.at)}, status ${retry.status}\n\n${pretty(retry.answer)}`
    : "not retried yet";
  setText(document.getElementById("details-answer"), answer);
  document.querySelector('#letter-details [data-action="retry"]').hidden = !letter.has_body;
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function element(tag, text, tone) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (tone) made.dataset.tone = tone;
  return made;
}

function preparePurge(refresh) {
  const dialog = document.getElementById("purge-dialog");
  const form = document.getElementById("purge-form");
  document.getElementById("purge").addEventListener("click", () => dialog.showModal());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const age = form.elements.age.value;
    const isDone = await act(event.submitter, async () => {
      const { purged } = await order(
        "POST",
        "/admin/dlq/purge",
        age ? { older_than_seconds: Number(age) } : {},
      );
      tell(`${counted(purged, "dead letter")} purged.`);
    });
    if (isDone) dialog.close();
    refresh();
    refreshDashboard();
  });
}
