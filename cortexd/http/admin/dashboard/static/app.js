/* The shell: goes from page to page, and shows above all of them how the node is. */

import { order, goToLogin } from "./api.js";
import { act } from "./dialogs.js";
import { setStatus, setText } from "./dom.js";
import { listen } from "./events.js";
import { begin, onDashboard } from "./feed.js";
import { alerts } from "./alerts.js";
import { cache } from "./cache.js";
import { chat } from "./chat.js";
import { cluster } from "./cluster.js";
import { configuration } from "./configuration.js";
import { deadLetters } from "./dead_letters.js";
import { fleet } from "./fleet.js";
import { keys } from "./keys.js";
import { load } from "./load.js";
import { overview } from "./overview.js";
import { requests } from "./requests.js";
import { tree } from "./tree.js";
import { workers } from "./workers.js";

const PAGES = {
  overview,
  workers,
  cluster,
  fleet,
  tree,
  "dead-letters": deadLetters,
  alerts,
  requests,
  load,
  cache,
  keys,
  configuration,
  chat,
};
const UNAUTHORIZED = 401;

const slot = document.getElementById("page");
const navigation = document.getElementById("navigation");
const menu = document.getElementById("menu");
let left = new AbortController();

/** Brings the page in the slot to life, and ends the one before. */
function enter() {
  left.abort();
  left = new AbortController();
  const page = slot.querySelector(":scope > .page");
  document.title = `${page.dataset.title} · cortexd`;
  for (const link of navigation.querySelectorAll("a")) {
    if (link.dataset.page === page.dataset.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  openMenu(false);
  PAGES[page.dataset.page](page, left.signal);
}

function openMenu(open) {
  navigation.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", String(open));
}

function showHead({ system_health: health, node, dead_letter_queue: queue, alerts: raised }) {
  setText(document.getElementById("node-name"), node?.name ?? "");
  setStatus(document.getElementById("node-status"), health.status);
  showCount("nav-dead-letters", queue?.stats?.total);
  showCount("nav-alerts", raised?.active);
}

function showCount(id, count) {
  const badge = document.getElementById(id);
  setText(badge, count ? count : "");
  badge.hidden = !count;
}

slot.addEventListener("htmx:afterSwap", () => {
  enter();
  window.scrollTo(0, 0);
  slot.focus({ preventScroll: true });
});
document.addEventListener("htmx:historyRestore", enter);
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.xhr.status === UNAUTHORIZED) goToLogin();
});
menu.addEventListener("click", () => openMenu(!navigation.classList.contains("open")));
document.getElementById("logout").addEventListener("click", ({ target }) =>
  act(target, async () => {
    await order("POST", "/admin/logout");
    location.assign("/admin/login");
  }),
);

listen();
begin();
onDashboard(showHead, new AbortController().signal);
enter();
