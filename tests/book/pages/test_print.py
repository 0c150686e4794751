"""Pages on paper: nothing is cut off, nothing is left of what can only be clicked, and paper is light."""

from pathlib import Path

import pytest

from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
SOON = ["chapters/00_scoreboard", "chapters/06_audit", "chapters/09_through_nets", "chapters/25_explorer"]
A4 = round((210 - 2 * 18) / 25.4 * 96)  # the width that print.css leaves, in CSS pixels

pytestmark = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no _build/html: make book")

LOOK = """async () => {
  await window.MathJax?.startup?.promise;
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const article = document.querySelector("article"), edge = article.getBoundingClientRect().right + 1;
  const seen = (selector, within = document) =>
    [...within.querySelectorAll(selector)].filter(one => one.getClientRects().length);
  const isOut = one => one.getBoundingClientRect().right > edge || one.scrollWidth > one.clientWidth + 1;
  const words = one => one.textContent.trim().slice(0, 60);
  return {
    "cut off": seen("pre, table, figure, .gsr-row, div.math mjx-container", article).filter(isOut).map(words),
    "bars and buttons": seen("button:not(.step-input *), .hide > summary").map(words),
    "around the page": seen("header, nav, .bd-sidebar, .bd-header-article, .prev-next-footer, .site-footer").map(words),
    "the title's number": seen("h1").length === 1 ? [] : ["there is not one title"],
    "scheme": document.documentElement.dataset.theme === "light" ? [] : ["dark"],
  };
}"""

THEME = """async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  return document.documentElement.dataset.theme;
}"""


@pytest.fixture(scope="module")
def tab(browser):
    tab = browser.new_page(viewport={"width": A4, "height": 900}, color_scheme="dark")
    yield tab
    tab.close()


def look(tab):
    return [f"{fault}: {what}" for fault, places in tab.evaluate(LOOK).items() for what in places]


@pytest.mark.parametrize(
    "page", [pytest.param(one, marks=[] if one in SOON else pytest.mark.slow) for one in pages(ROOT)]
)
def test_a_page_on_paper(tab, page):
    tab.emulate_media(media="screen")
    tab.goto(f"{HTML.as_uri()}/{page}.html")
    tab.emulate_media(media="print")
    assert look(tab) == []
    tab.emulate_media(media="screen")
    assert tab.evaluate(THEME) == "dark"


def test_without_the_style_of_paper_the_look_finds_what_is_wrong(tab):
    tab.goto(f"{HTML.as_uri()}/chapters/09_through_nets.html")
    tab.evaluate("""() => {
      document.querySelector("link[media=print]").remove();
      const code = Object.assign(document.createElement("pre"), {textContent: "0".repeat(400)});
      document.querySelector("article").append(code);
    }""")
    tab.emulate_media(media="print")
    tab.evaluate(THEME)
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    found = {one.partition(":")[0] for one in look(tab)}
    assert {"cut off", "bars and buttons", "scheme"} <= found
