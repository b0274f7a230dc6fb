// The page: which model and which view the address names, and what all views share.

import { html, render, useEffect, useState } from "./vendor/preact.js";
import { get, key, mayOrder, of } from "./api.js";
import { useAsked, useSeldom } from "./poll.js";
import { Failed } from "./parts.js";
import { State } from "./state.js";
import { Overview } from "./overview.js";
import { Versions } from "./versions.js";
import { Drifts } from "./drifts.js";
import { Labels } from "./labels.js";
import { Letters } from "./letters.js";
import { Orders } from "./orders.js";
import { TryOut } from "./tryout.js";
import { KeyBox } from "./keybox.js";

const VIEWS = {
  scores: ["Scores", Overview],
  versions: ["Versions", Versions],
  drifts: ["Drift", Drifts],
  labels: ["Labels", Labels],
  letters: ["Refused", Letters],
  orders: ["Orders", Orders],
  try: ["Try it", TryOut],
};

/** The model and the view in an address such as #/phishing/versions. */
function place() {
  const [, model = "", view = ""] = location.hash.split("/");
  return { model: decoded(model), view: view in VIEWS ? view : "scores" };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

const address = (model, view) => `#/${encodeURIComponent(model)}/${view}`;

function usePlace() {
  const [here, setHere] = useState(place());
  useEffect(() => {
    const moved = () => setHere(place());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return here;
}

function Page() {
  const here = usePlace();
  const models = useAsked(() => get("/v1/models"), [], 10000);
  const names = (models.value?.items || []).map((each) => each.name);
  const model = here.model || names[0] || "";
  const known = useAsked(model && (() => get(of(model))), [model], 2000);
  const orders = useAsked(model && (() => mayOrder(model)), [model], 60000);
  // The answer about the model before stays until that about the next is there.
  const state = known.value && known.value.name === model ? known.value : null;
  // What orders change is asked for at once, what learning changes now and then.
  const ordered = state && JSON.stringify([state.name, state.pinned, state.tags, state.forgotten, state.frozen, state.rewind?.command_id]);
  const seen = useSeldom(state?.version_id, ordered) + ordered;
  useEffect(() => {
    document.title = model ? `${model} · Weir` : "Weir";
  }, [model]);

  const problem = models.problem || known.problem;
  if ([401, 403].includes(problem?.status)) {
    return html`<${KeyBox} problem=${problem} />`;
  }
  const [, View] = VIEWS[here.view];
  return html`
    <${Head} models=${names} model=${model} view=${here.view} />
    <main>
      ${state
        ? html`<${State} model=${state} mayOrder=${orders.value} problem=${problem} />`
        : html`<p class="sentence">${models.value && !names.length ? "No model has a version yet." : "Nothing is known yet."}</p>
            <${Failed} problem=${problem} />`}
      <${Tabs} model=${model} view=${here.view} />
      ${state && html`<${View} key=${model} model=${state} seen=${seen} ordered=${ordered} mayOrder=${orders.value === true} />`}
    </main>
  `;
}

const Head = ({ models, model, view }) => html`
  <header>
    <a class="brand" href="#/">Weir</a>
    ${models.length > 1
      ? html`<select aria-label="Model" value=${model} onChange=${(event) => (location.hash = address(event.target.value, view))}>
          ${models.map((name) => html`<option value=${name}>${name}</option>`)}
        </select>`
      : html`<span class="quiet">${model}</span>`}
    <nav aria-label="Elsewhere">
      <a href="/docs">API</a>
      ${key.get() && html`<button class="small" onClick=${() => key.set("")}>forget the key</button>`}
    </nav>
  </header>
`;

const Tabs = ({ model, view }) => html`
  <nav class="tabs" aria-label="Views">
    ${Object.entries(VIEWS).map(
      ([name, [title]]) => html`
        <a key=${name} href=${address(model, name)} aria-current=${name === view ? "page" : undefined}>${title}</a>
      `,
    )}
  </nav>
`;

const root = document.getElementById("page");
root.replaceChildren();
render(html`<${Page} />`, root);
