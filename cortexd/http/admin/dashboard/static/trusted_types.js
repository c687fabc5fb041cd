/* The one door through which HTML gets into the page: our own pages, as htmx swaps them in.

   The Content-Security-Policy lets no string become HTML unless this policy has seen it. It lets a
   string through once, and only if it is the page that this node has just sent. Names, errors and
   what models say never come this way: they are set as text. */

(() => {
  "use strict";

  // What htmx 2 puts around a response before it parses it.
  const BEFORE = '<body><template class="internal-htmx-wrapper">';
  const AFTER = "</template></body>";

  let admitted = null;

  const admit = (xhr, html) => {
    const { origin, pathname } = new URL(xhr.responseURL);
    const isPage = pathname === "/admin/" || pathname.startsWith("/admin/ui/");
    const isHtml = (xhr.getResponseHeader("content-type") ?? "").startsWith("text/html");
    admitted = origin === location.origin && isPage && isHtml && xhr.status === 200 ? html : null;
  };

  window.trustedTypes?.createPolicy("default", {
    createHTML(html) {
      const isAdmitted = admitted !== null && html === BEFORE + admitted + AFTER;
      admitted = null;
      return isAdmitted ? html : null;
    },
  });

  document.addEventListener("htmx:beforeSwap", ({ detail }) =>
    admit(detail.xhr, detail.serverResponse),
  );
  document.addEventListener("htmx:historyCacheMissLoad", ({ detail }) =>
    admit(detail.xhr, detail.response),
  );
})();
