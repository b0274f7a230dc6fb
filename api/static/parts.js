// Small parts that several views are made of. All text goes in as text: nothing here is markup.

import { html } from "./vendor/preact.js";
import { exact, score } from "./format.js";

/** A view: its title, what was asked for, and what is shown once it is there. */
export const Section = ({ title, note, known, children }) => html`
  <section aria-label=${title}>
    <h2>${title}${note && html`<span class="note">${note}</span>`}</h2>
    ${known && html`<${Failed} problem=${known.problem} />`}
    ${!known || known.value ? children : !known.problem && html`<p class="quiet">Loading…</p>`}
  </section>
`;

export const Value = ({ of, kind = score }) => html`<span title=${exact(of)}>${kind(of)}</span>`;

/**
 * A table that scrolls by itself on a narrow screen.
 *
 * @param columns [head, what stands there for an item]; a head that begins with # is of numbers.
 */
export const Table = ({ label, items, columns }) => html`
  <div class="scrolls" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead><tr>${columns.map(([head]) => html`<th scope="col" class=${style(head)}>${head.replace("#", "")}</th>`)}</tr></thead>
      <tbody>${items.map(
        (item) => html`<tr>${columns.map(([head, cell], place) =>
          place ? html`<td class=${style(head)}>${cell(item)}</td>` : html`<th scope="row" class=${style(head)}>${cell(item)}</th>`,
        )}</tr>`,
      )}</tbody>
    </table>
  </div>
`;

const style = (head) => (head.startsWith("#") ? "number" : "");

/** Names, and what there is of each. */
export const Facts = ({ of }) => html`
  <dl class="facts">${of.map(([name, shown]) => html`<div><dt>${name}</dt><dd>${shown}</dd></div>`)}</dl>
`;

export const Failed = ({ problem }) => problem && html`<p class="problem" role="alert">${problem.message}</p>`;

/** A choice of few: radio buttons that look like one control. */
export const Choice = ({ label, value, options, onChange }) => html`
  <fieldset class="choice">
    <legend>${label}</legend>
    ${options.map(
      (option) => html`<label>
        <input type="radio" name=${label} checked=${option === value} onChange=${() => onChange(option)} />
        <span>${option}</span>
      </label>`,
    )}
  </fieldset>
`;
