// Numbers and times as people read them. The exact value is always in the title beside them.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

export const count = (n) => (n == null ? "–" : whole.format(n));

/** So many of something, in words. */
export const many = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;

/** Four digits; null where a score has no value. */
export const score = (value) => (value == null ? "–" : short.format(value));

export const exact = (value) => (value == null ? "no value" : String(value));

export function signed(value) {
  if (value == null) return "";
  return (value > 0 ? "+" : value < 0 ? "−" : "±") + short.format(Math.abs(value));
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at += 1;
  }
  return `${at ? n.toFixed(n < 10 ? 1 : 0) : n} ${units[at]}`;
}

const STEPS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

/** How long: 42 s, 3 min, 5 h, 2 d. */
export function duration(seconds) {
  if (seconds == null) return "–";
  for (const [size, unit] of STEPS) {
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}

/** How long ago a moment was. */
export const ago = (moment) => `${duration(Math.max(0, (Date.now() - Date.parse(moment)) / 1000))} ago`;

/** A moment in the reader's own time zone. */
export function at(moment) {
  if (!moment) return "–";
  return new Date(moment).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}
