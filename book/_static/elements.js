/* Elements for the pages that compute in the browser: html(tag, attributes, ...children), svg(...) likewise. An
   attribute "onNAME" is a listener; one that is empty is left out. */

(function () {
  "use strict";

  function fill(element, attributes, children) {
    Object.entries(attributes).forEach(([key, value]) => {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value || value === 0) element.setAttribute(key, value);
    });
    element.append(...children.filter((child) => child || child === 0));
    return element;
  }
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  const classes = (...names) => names.filter(Boolean).join(" ");

  window.gsrgnnElements = { fill, html, svg, classes };
})();
