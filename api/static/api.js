// Asks the API. The key, where one is needed, stays in this tab and is never part of an address.

const KEY = "weir.key";

/** What the API refused, as it said it (RFC 9457). */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) || "",
  /** The page is begun anew: nothing that was answered to the key before stays. */
  set: (text) => {
    sessionStorage.setItem(KEY, text);
    location.reload();
  },
};

export const get = (path) => ask("GET", path);
export const post = (path, body, headers) => ask("POST", path, body, headers);

/** The path of something of a model; every part is encoded, since names are anybody's. */
export const of = (model, ...parts) =>
  ["/v1/models", model, ...parts].map((part, at) => (at ? encodeURIComponent(part) : part)).join("/");

async function ask(method, path, body, headers) {
  const given = key.get();
  const answer = await fetch(path, {
    method,
    headers: {
      ...(given && { authorization: `Bearer ${given}` }),
      ...(body && { "content-type": "application/json" }),
      ...headers,
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(method === "GET" ? 10000 : 30000), // an order waits until it is in force
    cache: "no-store",
    credentials: "omit",
  });
  const told = await answer.json().catch(() => ({})); // of a proxy between there may be a page
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

/** What an order would do. */
export const dryRun = (model, command, body) =>
  post(of(model, command), { ...body, reason: "asked by the dashboard", dry_run: true });

/** Whether this key may give orders, by what one would do; it fails while that is not known. */
export async function mayOrder(model) {
  try {
    await dryRun(model, "freeze");
  } catch (problem) {
    if (![401, 403, 409, 422].includes(problem.status)) throw problem;
    return problem.status > 403;
  }
  return true;
}

/** Names a request, so that the same one sent twice is done once. */
export const requestId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
