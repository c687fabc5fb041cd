/* The configuration as it runs, and the order to read it again. */

import { get, order } from "./api.js";
import { act } from "./dialogs.js";
import { copyOf, fill, setText } from "./dom.js";
import { onEvents } from "./events.js";
import { refreshDashboard } from "./feed.js";
import { counted } from "./format.js";

export function configuration(_page, signal) {
  const show = async () => {
    const sections = document.getElementById("sections");
    const config = await get("/admin/config", signal);
    if (!signal.aborted) sections.replaceChildren(...sectionsOf(config).map(makeSection));
  };
  const reload = document.getElementById("reload");
  reload.addEventListener("click", async () => {
    await act(reload, reloadNow);
    refreshDashboard();
  });
  onEvents(() => act(reload, show), signal, ["config_reloaded"]);
  act(reload, show);
}

/** Tells what has changed, or what stands in the way of a change. */
async function reloadNow() {
  try {
    const { changes, restart_needed: restarts } = await order("POST", "/admin/reload");
    const waiting = (restarts ?? []).map((each) => `${each}: only after a restart`);
    const title = changes.length
      ? `Reloaded: ${counted(changes.length, "change")}`
      : "Reloaded: nothing has changed";
    tellReload(title, "ok", [...changes, ...waiting]);
  } catch (error) {
    if (!error.problems?.length) throw error;
    tellReload(
      `Nothing was changed: ${counted(error.problems.length, "problem")}`,
      "bad",
      error.problems,
    );
  }
}

function tellReload(title, tone, lines) {
  const card = document.getElementById("reloaded");
  card.hidden = false;
  card.dataset.tone = tone;
  setText(document.getElementById("reload-title"), title);
  document
    .getElementById("reload-lines")
    .replaceChildren(...lines.map((line) => element("li", line)));
}

/** The sections by name; each entry of a list of tables is a section of its own. */
function sectionsOf(config) {
  const plain = Object.entries(config).filter(([, value]) => !isTable(value) && !isTables(value));
  const tables = Object.entries(config).flatMap(([name, value]) => {
    if (isTables(value))
      return value.map((each, index) => [`[[${name}]] ${each.name ?? each.id ?? index + 1}`, each]);
    return isTable(value) ? [[`[${name}]`, value]] : [];
  });
  return plain.length ? [["above all sections", Object.fromEntries(plain)], ...tables] : tables;
}

const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isTables = (value) => Array.isArray(value) && value.length > 0 && value.every(isTable);

function makeSection([name, values]) {
  const section = copyOf("section");
  fill(section, { name });
  const lines = Object.entries(values).flatMap(([key, value]) => [
    element("dt", key),
    element("dd", written(value)),
  ]);
  section.querySelector("dl").append(...lines);
  return section;
}

function written(value) {
  return value === null ? "none" : JSON.stringify(value);
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
