// Where the API asks for a key: it is kept by this tab, and by nothing else.

import { html, useState } from "./vendor/preact.js";
import { key } from "./api.js";

export function KeyBox({ problem }) {
  const [text, setText] = useState("");
  const submit = (event) => {
    event.preventDefault();
    key.set(text.trim());
  };
  return html`
    <main class="keybox">
      <h1>Weir</h1>
      <p>${problem.status === 403 ? problem.message : "This API asks for a key with the scope read."}</p>
      <form onSubmit=${submit}>
        <label for="key">Key</label>
        <input id="key" type="password" autocomplete="off" placeholder="ID.SECRET" pattern=" *[!-~]+ *" value=${text}
          onInput=${(event) => setText(event.target.value)} />
        <button class="main" disabled=${!text.trim()}>Use it in this tab</button>
      </form>
      <p class="quiet">It is forgotten with the tab.</p>
    </main>
  `;
}
