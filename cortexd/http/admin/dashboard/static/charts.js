/* Lines over time, drawn by uPlot: from the history first, then a point at a time. */

const SPAN_S = 900;
const SPAN_S_MIN = 60;
const POINTS_MAX = 4000;
const STEPS_S = [60, 120, 300, 600, 1800, 3600, 10_800, 43_200, 86_400];

const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A chart in a figure with a `.plot` and a `[data-now]` for the value.

    `series`: a list of `{ name, tone }`, drawn in the colour of that name; `tell` makes words of
    the values of one moment; `floor`: how far the scale reaches at least. It ends with the signal. */
export function chart(figure, { series, tell, floor = 1, signal }) {
  const place = figure.querySelector(".plot");
  const output = figure.querySelector("[data-now]");
  const title = figure.querySelector("h2").textContent;
  let data = [[], ...series.map(() => [])];
  let plot = null;

  const shown = () => data[0].length - 1;
  const say = (index) => {
    const values = data.slice(1).map((line) => line[index] ?? null);
    output.textContent = index < 0 ? tell(series.map(() => null)) : tell(values);
  };
  const build = () => {
    plot?.destroy();
    plot = new uPlot(
      options(place, series, floor, (index) => say(index ?? shown())),
      data,
      place,
    );
    plot.root.setAttribute("aria-hidden", "true");
  };
  const draw = () => {
    plot.setData(data, true);
    if (plot.cursor.idx === null || plot.cursor.left < 0) say(shown());
    place.setAttribute("aria-label", `${title}, now ${output.textContent}`);
  };

  place.setAttribute("role", "img");
  build();
  draw();
  const sizes = new ResizeObserver(() => plot.setSize(sizeOf(place)));
  sizes.observe(place);
  const schemes = matchMedia("(prefers-color-scheme: dark)");
  schemes.addEventListener("change", build, { signal });
  signal.addEventListener("abort", () => {
    sizes.disconnect();
    plot.destroy();
  });

  return {
    /** Puts the past in front of what is drawn. `lines`: `[[time, value], …]` by name. */
    load(lines) {
      const past = merged(series.map(({ name }) => lines[name] ?? []));
      const first = data[0][0] ?? Infinity;
      const kept = past[0].filter((at) => at < first).length;
      data = data.map((line, index) => [...past[index].slice(0, kept), ...line]);
      draw();
    },
    /** Draws these moments and no others: their times, and for each of them a value a line. */
    replace(times, moments) {
      data = [times, ...series.map((_, line) => moments.map((values) => values[line]))];
      draw();
    },
    /** Adds one moment: its time in seconds since the epoch, and a value for each line. */
    push(at, values) {
      if (at <= (data[0].at(-1) ?? 0)) return;
      const old = Math.max(
        data[0].findIndex((time) => time > at - SPAN_S),
        data[0].length - POINTS_MAX,
        0,
      );
      data = [at, ...values].map((value, index) => [...data[index].slice(old), value]);
      draw();
    },
  };
}

/** Lines with times of their own, brought onto the same times. */
function merged(lines) {
  const times = [...new Set(lines.flatMap((line) => line.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = lines.map((line) => {
    const values = new Map(line);
    return times.map((at) => values.get(at) ?? null);
  });
  return [times, ...columns];
}

function sizeOf(place) {
  return { width: place.clientWidth, height: place.clientHeight };
}

function options(place, series, floor, onPoint) {
  const line = colour("line");
  const axis = {
    stroke: colour("muted"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    ...sizeOf(place),
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: {
        range: (_, min, max) =>
          max === null ? [0, SPAN_S] : [Math.min(min, max - SPAN_S_MIN), max],
      },
      y: { range: (_, __, max) => [0, Math.max(floor, (max ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 24, space: 70, incrs: STEPS_S, values: "{HH}:{mm}" },
      { ...axis, size: 46, space: 32 },
    ],
    series: [{}, ...series.map((each, index) => stroke(each, index))],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.left >= 0 ? cursor.idx : null)] },
  };
}

function stroke({ tone }, index) {
  const ink = colour(tone);
  return {
    stroke: ink,
    width: 1.75,
    fill: index === 0 ? `${ink}1c` : undefined,
    points: { show: false },
    spanGaps: false,
  };
}
