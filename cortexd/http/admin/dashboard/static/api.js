/* The admin API: documents in and out, errors as they are told, the CSRF token on every order. */

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;

let csrfToken = null;

/** What the node said against a request. `problems`: each thing that is wrong, if it lists them. */
export class ApiError extends Error {
  constructor(status, error = {}) {
    const problems = (error.problems ?? []).map(problemText);
    super(error.message ?? `the node answered with status ${status}`);
    this.status = status;
    this.code = error.code ?? null;
    this.problems = problems;
  }
}

function problemText(problem) {
  if (typeof problem === "string") return problem;
  const where = problem.param ?? problem.path ?? problem.where;
  const what = problem.message ?? problem.text ?? JSON.stringify(problem);
  return where ? `${where}: ${what}` : what;
}

/** Where somebody without a session has to go; the hash brings them back to the page. */
export function goToLogin() {
  const page = document.querySelector("#page > .page")?.dataset.page ?? "";
  location.assign(`/admin/login#${page}`);
}

async function failure(response) {
  if (response.status === UNAUTHORIZED) goToLogin();
  const document = await response.json().catch(() => ({}));
  return new ApiError(response.status, { problems: document.problems, ...document.error });
}

/** The document at a path. */
export async function get(path, signal) {
  const response = await fetch(path, { headers: { accept: "application/json" }, signal });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/** Sends an order with the CSRF token; gives the response, whatever its status. */
export async function send(method, path, body, signal) {
  const order = async () => {
    csrfToken ??= (await get("/admin/session", signal)).csrf_token;
    const headers = { accept: "application/json", "x-csrf-token": csrfToken };
    if (body !== undefined) headers["content-type"] = "application/json";
    return fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  };
  const response = await order();
  if (response.status !== FORBIDDEN) return response;
  // Another tab may have begun a new session: its token is not the one that we know.
  csrfToken = null;
  return order();
}

/** Sends an order and gives the document that answers it. */
export async function order(method, path, body) {
  const response = await send(method, path, body);
  if (!response.ok) throw await failure(response);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** Sends an order whose answer is a stream, and gives the response once it begins. */
export async function openStream(path, body, signal) {
  const response = await send("POST", path, body, signal);
  if (!response.ok) throw await failure(response);
  return response;
}

/** A path with a name in it, whatever the name is made of. */
export function pathOf(...parts) {
  return `/admin/${parts.map(encodeURIComponent).join("/")}`;
}
