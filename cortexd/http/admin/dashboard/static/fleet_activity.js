/* What the agents have been doing, as the node has written it down. */

import { copyOf, field, fill, setText, setTime, showRows, words } from "./dom.js";
import { keepFresh } from "./events.js";
import { clock, number } from "./format.js";

const SHOWN_MAX = 50;

/** Shows the latest of the agent that is chosen, or of all; gives a function that asks at once. */
export function showActivity(choice, signal) {
  const path = () => {
    const query = new URLSearchParams({ limit: String(SHOWN_MAX) });
    if (choice.value) query.set("agent", choice.value);
    return `/admin/fleet/activity?${query}`;
  };
  const refresh = keepFresh({ path, show: showDeeds, signal });
  choice.addEventListener("change", refresh);
  return refresh;
}

function showDeeds({ items, total }) {
  setText(
    document.getElementById("activity-sum"),
    total > items.length ? `the last ${number(items.length)} of ${number(total)}` : "",
  );
  document.getElementById("no-activity").hidden = items.length > 0;
  showRows(document.getElementById("activity"), items, {
    key: (deed) => [deed.at, deed.agent, deed.worker, deed.what, deed.activity].join(" "),
    make: makeDeed,
    show: () => {},
  });
}

/** What has been written down never changes. */
function makeDeed({ at, agent, worker, what, activity }) {
  const line = copyOf("deed");
  setTime(field(line, "at"), at, clock(at));
  fill(line, {
    what: [agent, worker].filter(Boolean).join(" · "),
    about: what === "activity" ? `activity ${number(activity)}` : words(what),
  });
  return line;
}
