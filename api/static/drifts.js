// Drift by episodes: what changed, when, by how much, and what the detectors saw.

import { html } from "./vendor/preact.js";
import { get, of } from "./api.js";
import { at, count } from "./format.js";
import { useAsked } from "./poll.js";
import { Section, Table, Value } from "./parts.js";

const COLUMNS = [
  ["#Event", (drift) => count(drift.index)],
  ["record", (drift) => `${drift.topic}-${drift.partition} at ${count(drift.offset)}`],
  ["version", (drift) => drift.version || "–"],
  ["#before", (drift) => html`<${Value} of=${drift.before} />`],
  ["#after", (drift) => html`<${Value} of=${drift.after} />`],
  ["direction", (drift) => drift.direction],
];

export function Drifts({ model, seen }) {
  const known = useAsked(() => get(`${of(model.name, "drifts")}?limit=1000`), [seen]);
  const found = known.value?.items || [];
  return html`
    <${Section} title="Drift" note=${known.value && `${count(known.value.total)} detections`} known=${known}>
      ${!found.length && html`<p class="quiet">No detector has seen any; the model file says under drift which there are.</p>`}
      ${episodes(found).map((items, place) => html`<${Episode} key=${items[0].index} items=${items} isNewest=${!place} />`)}
    <//>
  `;
}

function Episode({ items, isNewest }) {
  const first = items[0];
  const title = `${first.detector} on ${first.on}, episode ${first.episode}`;
  return html`
    <details class="episode" open=${isNewest}>
      <summary>
        <span class=${`chip ${first.direction === "worse" ? "bad" : "good"}`}>${first.direction}</span>
        <strong>${title}</strong>
        <span class="number"><${Value} of=${first.before} /> → <${Value} of=${first.after} /></span>
        <span class="quiet">${at(first.at)}</span>
      </summary>
      <${Table} label=${title} items=${items} columns=${COLUMNS} />
    </details>
  `;
}

/** Detections by episode of a detector, the newest first; those of an episode in their order. */
function episodes(found) {
  const groups = new Map();
  for (const each of found) groups.set(nameOf(each), [each, ...(groups.get(nameOf(each)) || [])]);
  return [...groups.values()];
}

/** Each detector counts its own episodes. */
export const nameOf = (drift) => `${drift.detector} ${drift.on} ${drift.episode}`;
