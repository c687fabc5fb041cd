/* The keys of the clients. A new one is shown once, and kept nowhere on this page. */

import { order, pathOf } from "./api.js";
import { act, confirmed, tell, tend } from "./dialogs.js";
import { copyOf, field, fill, setStatus, setText, setTime, showRows, words } from "./dom.js";
import { keepFresh } from "./events.js";
import { counted, day, number } from "./format.js";

const NUMBERS = ["requests_per_minute", "tokens_per_minute", "expires_in_seconds"];

export function keys(page, signal) {
  tend(page, signal);
  const show = ({ items }) => showKeys(items, revoke);
  const refresh = keepFresh({
    path: "/admin/keys?limit=1000",
    show,
    signal,
    kinds: ["client_key_changed"],
  });
  const revoke = async (button, key) => {
    const text = "Whoever uses it is turned away within a second, and it never works again.";
    if (!(await confirmed(`Revoke ${key.name || key.id}?`, text, "Revoke"))) return;
    await act(button, async () => {
      await order("DELETE", pathOf("keys", key.id));
      tell(`${key.name || key.id} is revoked.`);
    });
    refresh();
  };
  prepareCreating(refresh);
  prepareFresh();
}

function showKeys(items, revoke) {
  const active = items.filter(({ state }) => state === "active").length;
  setText(
    document.getElementById("keys-sum"),
    `${counted(items.length, "key")}, ${number(active)} active`,
  );
  document.getElementById("no-keys").hidden = items.length > 0;
  showRows(document.getElementById("keys"), items, {
    key: ({ id }) => id,
    make: (key) => makeRow(key, revoke),
    show: showRow,
  });
}

function makeRow(key, revoke) {
  const row = copyOf("key");
  const button = row.querySelector("button");
  button.setAttribute("aria-label", `Revoke ${key.name || key.id}`);
  button.addEventListener("click", () => revoke(button, key));
  return row;
}

function showRow(row, key) {
  fill(row, {
    name: key.name || "unnamed",
    id: key.id,
    class: key.class,
    requests: key.requests_per_minute === null ? "no limit" : number(key.requests_per_minute),
    tokens: key.tokens_per_minute === null ? "no limit" : number(key.tokens_per_minute),
    source: key.source === "config" ? "from the configuration" : "",
    used: day(key.last_used_on),
  });
  setStatus(field(row, "state"), words(key.state));
  setTime(field(row, "created"), key.created_at, day(key.created_at));
  setTime(field(row, "expires"), key.expires_at, key.expires_at ? day(key.expires_at) : "never");
  row.querySelector("button").hidden = key.state !== "active" || key.source === "config";
}

function prepareCreating(refresh) {
  const dialog = document.getElementById("create-key");
  const form = document.getElementById("create-form");
  const problem = document.getElementById("create-problem");
  document.getElementById("create").addEventListener("click", () => {
    form.reset();
    setText(problem, "");
    dialog.showModal();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { key } = await order("POST", "/admin/keys", wishes(form));
      dialog.close();
      setText(document.getElementById("fresh-key"), key);
      document.getElementById("fresh").hidden = false;
      refresh();
    } catch (error) {
      setText(problem, error.message);
    }
  });
}

function wishes(form) {
  const filled = [...new FormData(form)].filter(([, value]) => value.trim());
  return Object.fromEntries(
    filled.map(([name, value]) => [name, NUMBERS.includes(name) ? Number(value) : value.trim()]),
  );
}

function prepareFresh() {
  const card = document.getElementById("fresh");
  const shown = document.getElementById("fresh-key");
  document.getElementById("copy").addEventListener("click", ({ target }) =>
    act(target, async () => {
      await navigator.clipboard.writeText(shown.textContent);
      tell("Copied.");
    }),
  );
  document.getElementById("hide").addEventListener("click", () => {
    setText(shown, "");
    card.hidden = true;
  });
}
