// The orders that were given: who, when, why, and what came of it.

import { html } from "./vendor/preact.js";
import { get, of } from "./api.js";
import { at } from "./format.js";
import { useAsked } from "./poll.js";
import { Section, Table } from "./parts.js";

const COLUMNS = [
  ["Order", (order) => [order.command, order.mode, order.tag, way(order)].filter(Boolean).join(" ")],
  ["when", (order) => at(order.at)],
  ["who", (order) => order.who],
  ["reason", (order) => html`<span class="text">${order.reason}</span>`],
  ["outcome", (order) => html`<span class="text">${order.outcome}</span>`],
];

export function Orders({ model, ordered }) {
  const known = useAsked(() => get(`${of(model.name, "audit")}?limit=200`), [ordered]);
  const items = known.value?.items || [];
  return html`
    <${Section} title="Orders" note="newest first" known=${known}>
      ${items.length ? html`<${Table} label="Orders" items=${items} columns=${COLUMNS} />` : html`<p class="quiet">None was given.</p>`}
    <//>
  `;
}

const way = ({ from, to }) => (from && to && from !== to ? `${from} → ${to}` : to);
