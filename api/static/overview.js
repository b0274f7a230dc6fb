// The scores over the model's life, with what happened to it drawn in.

import { html, useState } from "./vendor/preact.js";
import { get, of } from "./api.js";
import { at, count } from "./format.js";
import { useAsked } from "./poll.js";
import { Chart } from "./chart.js";
import { nameOf } from "./drifts.js";
import { Choice, Section, Table, Value } from "./parts.js";

const BASELINES = { no_change: "no change", majority: "majority", mean: "mean" };
const WINDOWS = ["rolling", "fading", "lifetime"];
// Of a mark: its colour, and what the legend says.
const MARKS = {
  worse: ["bad", "drift, worse"],
  better: ["good", "drift, better"],
  rollback: ["served", "rollback"],
  rewind: ["served", "rewind"],
  import: ["served", "import"],
};

export function Overview({ model, seen, ordered }) {
  const [name, setName] = useState(Object.keys(model.metrics)[0]);
  const [window, setWindow] = useState("rolling");
  const [axis, setAxis] = useState("events");
  const known = useAsked(() => all(model.name), [seen]);
  const versions = useAsked(() => get(of(model.name, "versions")), [ordered]);
  if (!known.value) return html`<${Section} title="Scores" known=${known} />`;
  const { history, metrics } = known.value;
  const picture = drawn({ ...known.value, versions: versions.value?.items || [] }, { model, name, window, axis });
  const kinds = Object.keys(MARKS).filter((kind) => picture.marks.some((mark) => mark.kind === kind));
  return html`
    <${Section} title="Scores" note=${`at ${history.version}`} known=${known}>
      <div class="controls">
        <${Choice} label="Score" value=${name} onChange=${setName} options=${Object.keys(metrics)} />
        <${Choice} label="Window" value=${window} onChange=${setWindow} options=${WINDOWS} />
        <${Choice} label="Over" value=${axis} onChange=${setAxis} options=${["events", "time"]} />
      </div>
      ${picture.xs.length > 1 && picture.lines[0].values.some(Number.isFinite)
        ? html`<${Chart} label=${`${name}, ${window}, over ${axis}`} ...${picture} />`
        : html`<p class="quiet">${history.at.length > 1 ? `${name} has no ${window} value.` : "The first points are drawn after 100 events."}</p>`}
      <ul class="legend">${kinds.map((kind) => html`<li><span class=${`mark ${MARKS[kind][0]}`}></span>${MARKS[kind][1]}</li>`)}</ul>
      <${Now} metrics=${metrics} />
      <details>
        <summary>The last points as a table</summary>
        <${Table} label="Points" items=${picture.rows} columns=${[
          ["#learned", (row) => count(row.learned)],
          ["time", (row) => at(row.at)],
          [`#${name}, ${window}`, (row) => html`<${Value} of=${row.value} />`],
        ]} />
      </details>
    <//>
  `;
}

async function all(model) {
  const [history, metrics, drifts] = await Promise.all(["history", "metrics", "drifts"].map((each) => get(of(model, each))));
  return { history, metrics, drifts: drifts.items };
}

/** What the chart is given, and its points as rows: those of the history, and the value now where it is newer. */
function drawn({ history, metrics, drifts, versions }, { model, name, window, axis }) {
  const [then, now] = [history.metrics[name] || {}, metrics[name] || {}];
  const isTime = axis === "time";
  const [first, last, made] = [history.at[0], history.at.at(-1), model.created_at].map(seconds);
  // Of records that are old, when the head was made says nothing.
  const hasNow = model.scored > (history.scored.at(-1) || 0) && (!isTime || made - last < last - first);
  const upTo = (newest, points) => (hasNow ? [...points, newest] : points);
  const scored = upTo(model.scored, history.scored);
  const times = upTo(model.created_at, history.at);
  const moments = rising(times.map(seconds));
  const values = (from, to, key) => upTo(to?.[key] ?? null, from?.[key] || history.at.map(() => null));
  const lines = [{ name: `${name}, ${window}`, colour: "accent", values: values(then, now, window) }];
  if (now.served) lines.push({ name: "served", colour: "served", values: values(then.served, now.served, window) });
  for (const [key, shown] of Object.entries(BASELINES)) {
    if (now[key] != null) {
      lines.push({ name: shown, colour: "quiet", dash: lines.length % 2 ? "dashed" : "dotted", values: values(then, now, key) });
    }
  }
  const begun = new Map(drifts.map((drift) => [`${nameOf(drift)} ${drift.direction}`, drift])); // newest first: the first stays
  const marks = [
    ...[...begun.values()].map((drift) => [drift.direction, drift.index, seconds(drift.at)]),
    ...versions.filter((version) => version.kind in MARKS).map((version) => [version.kind, version.scored]),
  ].map(([kind, x, time]) => ({ kind, x: isTime ? time || between(scored, moments, x) : x, colour: MARKS[kind][0] }));
  const rows = upTo(model.learned, history.learned).map((learned, place) => ({ learned, at: times[place], value: lines[0].values[place] }));
  return { xs: isTime ? moments : scored, isTime, lines, marks, rows: rows.slice(-100).reverse() };
}

const seconds = (moment) => Date.parse(moment) / 1000;

/** Records may be older than those before them; a chart's times rise. */
function rising(moments) {
  let last = -Infinity;
  return moments.map((moment) => (last = Math.max(moment, last + 0.001)));
}

/** The time at which so many events were scored, between the points that are known. */
function between(scored, moments, wanted) {
  const after = scored.findIndex((each) => each >= wanted);
  if (after <= 0) return after ? moments.at(-1) : moments[0];
  const share = (wanted - scored[after - 1]) / (scored[after] - scored[after - 1]);
  return moments[after - 1] + share * (moments[after] - moments[after - 1]);
}

function Now({ metrics }) {
  const scores = Object.values(metrics);
  const value = (read) => ([, score]) => html`<${Value} of=${read(score)} />`;
  const there = Object.keys(BASELINES).filter((each) => scores.some((score) => each in score));
  const columns = [
    ["Score", ([name]) => name],
    ...WINDOWS.map((each) => [`#${each}`, value((score) => score[each])]),
    ["#95 % from", value((score) => score.low)],
    ["#to", value((score) => score.high)],
    ...there.map((each) => [`#${BASELINES[each]}`, value((score) => score[each])]),
  ];
  if (scores.some((score) => score.served)) columns.push(["#served, rolling", value((score) => score.served?.rolling)]);
  return html`<${Table} label="Scores now" items=${Object.entries(metrics)} columns=${columns} />`;
}
