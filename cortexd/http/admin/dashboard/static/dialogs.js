/* Asking before, telling after. */

import { copyOf, fill, setText } from "./dom.js";

const NOTICE_MS = 6000;

/** Tells what came of it, in a corner of the page. */
export function tell(text, tone = "ok") {
  const notice = copyOf("notice");
  notice.dataset.tone = tone;
  fill(notice, { text });
  notice.querySelector("button").addEventListener("click", () => notice.remove());
  document.getElementById("notices").append(notice);
  // What went wrong stays until it has been read.
  if (tone === "ok") setTimeout(() => notice.remove(), NOTICE_MS);
}

/** Asks whether to go on; gives the answer. */
export function confirmed(title, text, verb) {
  const dialog = document.getElementById("confirmation");
  setText(document.getElementById("confirmation-title"), title);
  setText(document.getElementById("confirmation-text"), text);
  setText(document.getElementById("confirmation-yes"), verb);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Does what a button stands for, once at a time. Tells what goes wrong; gives whether all is well. */
export async function act(button, work) {
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  try {
    await work();
    return true;
  } catch (error) {
    tell(error.message, "bad");
    return false;
  } finally {
    button.disabled = false;
    // A button that cannot be pressed loses the focus, and whoever works by keyboard the place.
    if (hadFocus && document.activeElement === document.body) button.focus();
  }
}

/** Lets the dialogs of a page be closed by their own buttons, and not outlive the page. */
export function tend(page, signal) {
  for (const dialog of page.querySelectorAll("dialog")) {
    dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
    signal.addEventListener("abort", () => dialog.close());
  }
}
