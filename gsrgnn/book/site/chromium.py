"""Chromium, which prints pages as a reader's browser does, without a window."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Heading(NamedTuple):
    """A heading's level (1 is the page's title), its words, and the id of its section."""

    level: int
    words: str
    id: str


SECONDS: int = 300
"""A page that is not there after so long does not come."""

SETTLE: str = """async () => {
  await window.MathJax?.startup?.promise;
  await Promise.all([...document.images].map(image => {
    image.loading = "eager";
    return image.decode().catch(() => { throw new Error(`no picture at ${image.src}`); });
  }));
  await document.fonts.ready;
  const bare = [...document.querySelectorAll("article .math")].filter(one => !one.querySelector("mjx-container"));
  if (bare.length) throw new Error(`MathJax did not set ${bare[0].textContent}`);
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
}"""

LABEL: str = """() => {
  const links = document.createElement("div");
  links.hidden = true;
  for (const target of document.querySelectorAll("article [id]:not(svg *, mjx-container *)")) {
    const link = document.createElement("a");
    link.href = `#${encodeURIComponent(target.id)}`;
    links.append(link);
  }
  document.body.append(links);
}"""
"""Only what a link of the page leads to has a name in its PDF: these hidden links lead everywhere."""

HEADINGS: str = """() => [...document.querySelectorAll("article section[id] > :is(h1, h2, h3)")]
  .filter(heading => heading.getClientRects().length)
  .map(heading => {
    heading.querySelector(".headerlink")?.remove();
    return [Number(heading.tagName[1]), heading.textContent.trim(), heading.parentElement.id];
  })"""


@contextmanager
def paper() -> Iterator["Page"]:
    """A tab of Chromium that shows pages as they will be on paper.

    Raises RuntimeError where there is no Chromium, or no playwright to steer it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise RuntimeError('no playwright, which steers Chromium: pip install "gsrgnn[dev]"') from None
    found = shutil.which("chromium")
    if found is None:
        raise RuntimeError("no chromium, which prints the pages: apt install chromium (Debian, Ubuntu)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(SECONDS * 1000)
        tab.emulate_media(media="print")
        yield tab
        browser.close()


def printed(tab: "Page", style: str) -> bytes:
    """The page that `tab` shows as a PDF, when everything of it is there; `style` (CSS) has size, margins and footers.

    Raises RuntimeError, naming the page, where it lacks a picture or a formula.
    """
    from playwright.sync_api import Error

    tab.add_style_tag(content=style)
    tab.evaluate(LABEL)
    try:
        tab.evaluate(SETTLE)
    except Error as error:
        why = error.message.splitlines()[0].rpartition("Error: ")[2]
        raise RuntimeError(f"{tab.url} cannot be printed: {why}") from None
    return tab.pdf(prefer_css_page_size=True, print_background=True)


def headings(tab: "Page") -> list[Heading]:
    """Title and sections of the page that `tab` shows, in order."""
    return [Heading(*found) for found in tab.evaluate(HEADINGS)]
