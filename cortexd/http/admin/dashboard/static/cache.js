/* What the cache has spared the workers. */

import { get, order } from "./api.js";
import { chart } from "./charts.js";
import { act, confirmed, tell } from "./dialogs.js";
import { fill } from "./dom.js";
import { keepFresh } from "./events.js";
import { bytes, counted, number, percent } from "./format.js";

export function cache(page, signal) {
  const hits = chart(page.querySelector('[data-chart="hits"]'), {
    signal,
    floor: 100,
    series: [{ name: "cache_hit_rate", tone: "accent" }],
    tell: ([now]) => percent(now === null ? null : now / 100),
  });
  const show = (now) => {
    fill(page, {
      about: now.enabled
        ? "Answers that are given again without asking a worker."
        : "Switched off in the configuration.",
      rate: percent(now.hit_rate),
      hits: number(now.hits),
      misses: number(now.misses),
      shared: number(now.shared),
      entries: number(now.entries),
      bytes: bytes(now.bytes),
      gone: `${number(now.evictions)} made room, ${number(now.expired)} expired`,
      room: `of ${bytes(now.bytes_max)}`,
    });
    hits.push(Date.now() / 1000, [now.hit_rate === null ? null : now.hit_rate * 100]);
  };
  const refresh = keepFresh({ path: "/admin/cache", show, signal });
  loadHistory(hits, signal);
  document.getElementById("purge-cache").addEventListener("click", async ({ target }) => {
    if (
      !(await confirmed("Purge the cache?", "Workers are asked again for what it holds.", "Purge"))
    )
      return;
    await act(target, async () => {
      const { purged } = await order("POST", "/admin/cache/purge");
      tell(`${counted(purged, "answer")} forgotten.`);
    });
    refresh();
  });
}

async function loadHistory(hits, signal) {
  try {
    const { series } = await get("/admin/metrics/history?series=cache_hit_rate", signal);
    hits.load({
      cache_hit_rate: series.cache_hit_rate.map(([at, rate]) => [
        at,
        rate === null ? null : rate * 100,
      ]),
    });
  } catch (error) {
    if (!signal.aborted) tell(`no history: ${error.message}`, "bad");
  }
}
