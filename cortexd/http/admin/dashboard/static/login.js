/* Gives the admin token for a session. */

const form = document.getElementById("login");
const token = document.getElementById("token");
const problem = document.getElementById("problem");
const button = form.querySelector("button");

/** Where to go afterwards: the page behind the hash, which can be nothing but one of ours. */
function destination() {
  const page = location.hash.slice(1);
  return /^[a-z]+(-[a-z]+)*$/.test(page) && page !== "overview" ? `/admin/ui/${page}` : "/admin/";
}

async function logIn() {
  const response = await fetch("/admin/login", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ token: token.value.trim() }),
  });
  if (response.ok) return;
  const { error } = await response.json().catch(() => ({}));
  throw new Error(error?.message ?? `the node answered with status ${response.status}`);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.textContent = "";
  try {
    await logIn();
    location.assign(destination());
  } catch (error) {
    problem.textContent = error.message;
    token.select();
    token.focus();
  } finally {
    button.disabled = false;
  }
});
