// What the theme has as code in attributes, or leaves out: printing, names of toggles, keys for what scrolls.
addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".btn-download-pdf-button")) {
    button.addEventListener("click", () => print());
  }
  for (const button of document.querySelectorAll(".toggle-button")) {
    button.setAttribute("aria-label", button.closest(".admonition-title").textContent.trim());
  }
});

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const wide = document.querySelectorAll(".gsr-figure > div, div.math, mjx-container[display]");
  const reach = () => {
    for (const box of wide) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  reach();
  addEventListener("resize", reach);
  for (const formula of document.querySelectorAll("div.math > mjx-container[display]")) {  // print.css makes it fit
    const size = parseFloat(getComputedStyle(formula).fontSize);
    formula.style.setProperty("--width", formula.firstElementChild.getBoundingClientRect().width / size);
  }
});

// Paper is light.
const paper = matchMedia("print");
paper.addEventListener("change", () => {
  const page = document.documentElement.dataset;
  if (paper.matches) [page.onScreen, page.theme] = [page.theme, "light"];
  else if (page.onScreen) [page.theme, page.onScreen] = [page.onScreen, ""];
});
