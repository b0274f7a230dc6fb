// Asks the API. The key, where one is needed, stays in this tab and is never part of an address.

const KEY = "weir.key";

/** What the API refused, as it said it (RFC 9457). */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.code = document.code;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) || "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

export const get = (path) => ask("GET", path);
export const post = (path, body, headers = {}) => ask("POST", path, body, headers);

/** The path of something of a model; every part is encoded, since names are anybody's. */
export const of = (model, ...parts) =>
  ["/v1/models", model, ...parts].map((part, at) => (at ? encodeURIComponent(part) : part)).join("/");

async function ask(method, path, body, headers = {}) {
  const given = key.get();
  const answer = await fetch(path, {
    method,
    headers: {
      ...(given ? { authorization: `Bearer ${given}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
  });
  const told = await answer.json().catch(() => ({})); // of a proxy between there may be a page
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

/** Whether this key may give orders: it is asked what one would do. */
export async function mayOrder(model) {
  try {
    await post(of(model, "freeze"), { reason: "asked by the dashboard whether it may", dry_run: true });
  } catch (problem) {
    return problem.status !== 403 && problem.status !== 401;
  }
  return true;
}

/** Names a request, so that the same one sent twice is done once. */
export function requestId() {
  if (crypto.randomUUID) return crypto.randomUUID(); // only where the page came over TLS or loopback
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
