/* The samples of a run, put together from what the node tells: each of them once. */

const PATH = "/admin/load-monitor";

/** Keeps the samples that have come, so that the node is asked for later ones only. */
export function loadSamples() {
  let started = null;
  let samples = [];
  let isPart = false;
  return {
    /** Where to ask for what is not here yet. */
    path() {
      const latest = samples.at(-1);
      isPart = latest !== undefined;
      return isPart ? `${PATH}?since=${Date.parse(latest.at) / 1000}` : PATH;
    },
    /** What has just been told, with all samples of that run. */
    whole(run) {
      if (run.started_at !== started) {
        started = run.started_at;
        // Of another run, all has to be asked for.
        samples = isPart ? [] : run.samples;
      } else {
        const [first] = run.samples;
        const place = first ? samples.findIndex(({ at }) => at >= first.at) : -1;
        samples = [...samples.slice(0, place < 0 ? samples.length : place), ...run.samples];
      }
      return { ...run, samples };
    },
  };
}
