// What a model does, in one sentence, the numbers under it, and the orders that concern it as a whole.

import { html, useState } from "./vendor/preact.js";
import { Order } from "./order.js";
import { count, duration } from "./format.js";
import { Value } from "./parts.js";

const DOES = {
  learning: "is learning",
  idle: "has learned all there is",
  frozen: "is frozen and learns nothing",
  rewinding: "is going back, and learns again what came after",
  waiting: "waits",
  starting: "is starting",
  stopped: "has no learner that is heard of",
  failed: "has stopped learning after a failure",
};

export function State({ model, mayOrder, problem }) {
  const [command, setCommand] = useState(null);
  const share = (100 * model.refused) / (model.learned + model.refused || 1);
  const tiles = [
    ["Serving", model.serving || "nothing", `${duration(model.age_seconds)} old`],
    ["Learned", count(model.learned), `${count(model.scored)} scored`],
    ["Lag", count(model.lag), "records"],
    ["Refused", count(model.refused), `${share.toPrecision(2)} % of all`],
    ["Waiting", count(model.pending), "for their label"],
    ...Object.entries(model.metrics).map(([name, value]) => [name, html`<${Value} of=${value} />`, "over the life"]),
  ];
  return html`
    <div data-state=${model.state}>
      <p class="sentence">
        <span class="lamp"></span><strong>${model.name}</strong> ${DOES[model.state] || `is ${model.state}`};
        ${model.serving ? ` ${model.serving} answers.` : " nothing answers yet."}
      </p>
      ${problem && html`<p class="problem" role="alert">Not reached just now. ${problem.message}</p>`}
      ${words(model).map((text) => html`<p class="advice">${text}</p>`)}
      <dl class="tiles">${tiles.map(([name, shown, under]) => html`<div key=${name}><dt>${name}</dt><dd>${shown}</dd><dd class="under">${under}</dd></div>`)}</dl>
      ${mayOrder && html`<div class="buttons">${commands(model).map(([each, title]) => html`<button key=${each} onClick=${() => setCommand(each)}>${title}</button>`)}</div>`}
      ${mayOrder === false && html`<p class="quiet">This key may look, and give no orders.</p>`}
      ${command && html`<${Order} model=${model} command=${command} onClose=${() => setCommand(null)} />`}
    </div>
  `;
}

/** What a person should know besides, each a sentence. */
function words({ pinned, held, rewind, last_error: error, advice }) {
  return [
    pinned && `Pinned to ${pinned}: what is learned is not served.`,
    held && `The publish gate holds ${held.version} back: ${held.score} is ${held.value}, the best served had ${held.best}; ${held.good} answers.`,
    rewind && `A ${rewind.kind} ${rewind.to ? `to ${rewind.to} ` : ""}is under way: ${count(rewind.left)} records left, ${duration(rewind.seconds_left)}.`,
    error && `Last error: ${error}`,
    advice,
  ].filter(Boolean);
}

function commands(model) {
  return [
    model.frozen ? ["thaw", "Thaw"] : ["freeze", "Freeze"],
    model.pinned && ["unpin", "Unpin"],
    model.rewind && ["cancel", "Cancel going back"],
    model.held && ["release", "Serve it all the same"],
  ].filter(Boolean);
}
