/* Numbers, times and sizes as people read them. Nothing is shown as a dash. */

export const NOTHING = "–";

const isNothing = (value) => value === null || value === undefined || Number.isNaN(value);

/** A count, or a measure with as many digits as matter. */
export function number(value) {
  if (isNothing(value)) return NOTHING;
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** A share of one, in percent. */
export function percent(share) {
  return isNothing(share) ? NOTHING : `${number(share * 100)} %`;
}

/** Milliseconds, and seconds where there are many of them. */
export function milliseconds(ms) {
  if (isNothing(ms)) return NOTHING;
  return ms < 1000 ? `${number(Math.round(ms))} ms` : seconds(ms / 1000);
}

/** A span of time in its two largest units. */
export function seconds(span) {
  if (isNothing(span)) return NOTHING;
  if (span < 60) return `${number(Math.round(span * 10) / 10)} s`;
  const units = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const from = units.findIndex(([, size]) => span >= size);
  const [[large, size], second] = [units[from], units[from + 1]];
  const count = Math.floor(span / size);
  const rest = Math.floor((span - count * size) / second[1]);
  return rest ? `${count} ${large} ${rest} ${second[0]}` : `${count} ${large}`;
}

const KIB = 1024;

/** A size in binary units. */
export function bytes(size) {
  if (isNothing(size)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB"];
  const step = Math.min(
    units.length - 1,
    size < 1 ? 0 : Math.floor(Math.log(size) / Math.log(KIB)),
  );
  return `${number(size / KIB ** step)} ${units[step]}`;
}

/** The time of day, with the date where that is not today's. */
export function clock(iso) {
  if (!iso) return NOTHING;
  const at = new Date(iso);
  const time = at.toLocaleTimeString("en-GB");
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.toLocaleDateString("en-CA")} ${time}`;
}

/** The day alone. */
export function day(iso) {
  return iso ? String(iso).slice(0, 10) : NOTHING;
}

/** The beginning of a long name. */
export function short(name, length = 12) {
  const text = String(name ?? "");
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** `1 worker`, `2 workers`. */
export function counted(count, thing) {
  return `${number(count)} ${thing}${count === 1 ? "" : "s"}`;
}
