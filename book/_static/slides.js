// Cuts a chapter into slides of equal size and starts reveal.js: what does not fit goes on the next slide below.
const WIDTH = 1280, HEIGHT = 720, ROOM = HEIGHT - 70; // the rest is for the number of the slide
const SMALL = 0.75;

// What alone is higher or wider than a slide is drawn smaller; what would be too small stands beside its heading.
function shrink(block, page) {
  const factor = room => Math.min(room / block.offsetHeight, block.clientWidth / block.scrollWidth, 1);
  let scale = factor(ROOM - page.firstElementChild.offsetHeight - 40);
  if (scale < SMALL && page.children.length === 2) {
    page.classList.add("tall");
    scale = factor(HEIGHT - 30);
  }
  if (scale < 1) block.style.zoom = scale;
}

function pages(section) {
  const [heading, ...blocks] = section.children;
  const found = [];
  let page;
  const begin = () => {
    page = section.cloneNode(false);
    page.append(heading.cloneNode(true));
    section.before(page);
    found.push(page);
  };
  begin();
  for (const block of blocks) {
    page.append(block);
    shrink(block, page);
    if (page.scrollHeight > ROOM && page.children.length > 2) {
      begin();
      block.classList.remove("fragment"); // the slide itself is the key press
      page.append(block);
      block.style.zoom = "";
      shrink(block, page);
    }
  }
  section.remove();
  return found;
}

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  document.body.classList.add("measured");
  let stack;
  for (const section of [...document.querySelectorAll(".slides > section")]) {
    const found = pages(section);
    if (!stack || found[0].querySelector("h1, h2")) stack = document.createElement("section");
    found[0].before(stack);
    stack.append(...found);
  }
  document.body.classList.remove("measured");
  await Reveal.initialize({
    width: WIDTH, height: HEIGHT, margin: 0.02, center: false, hash: true, slideNumber: "c/t", transition: "none",
    pdfSeparateFragments: false,
  });
  document.body.dataset.slides = Reveal.getTotalSlides();
});
