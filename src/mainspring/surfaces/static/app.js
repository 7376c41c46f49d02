"use strict";
// A page about something still going on says so by data-refresh-s on its <main>: the same page is
// fetched again and its <main> put in place of the old one, until it no longer says so.
(function () {
  let failures = 0;

  function later(main) {
    const seconds = Number(main && main.dataset.refreshS);
    if (seconds > 0) setTimeout(again, 1000 * seconds * (1 + failures));
  }

  function isInUse(main) {
    const chosen = document.getSelection();
    const writing = main.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    return document.hidden || writing || (chosen && !chosen.isCollapsed);
  }

  async function again() {
    const old = document.querySelector("main");
    if (isInUse(old)) return later(old);
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      for (const details of old.querySelectorAll("details[id]")) {
        const twin = fresh.querySelector("#" + CSS.escape(details.id));
        if (twin) twin.open = details.open;
      }
      const scrolled = Array.from(old.querySelectorAll(".scroll, .graph"), (e) => [e.scrollLeft, e.scrollTop]);
      old.replaceWith(document.adoptNode(fresh));
      fresh.querySelectorAll(".scroll, .graph").forEach((e, i) => { if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i]; });
      failures = 0;
    } catch {
      failures = Math.min(failures + 1, 9);
    }
    later(document.querySelector("main"));
  }

  later(document.querySelector("main"));
})();
