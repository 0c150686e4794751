"""The decks and the worksheet in Chromium, opened from a folder: whole slides, one sheet of paper each."""

from pathlib import Path

import pytest

from gsrgnn.book.site.slides import CHAPTERS, FOLDER
from gsrgnn.book.site.worksheet import KEY, SHEET

HTML = Path(__file__).parents[3] / "_build" / "html"

pytestmark = pytest.mark.skipif(not (HTML / FOLDER).exists(), reason="no _build/html/slides: make book")

# Every slide as it is when all its fragments are there; those on which something is outside or unreadably small.
WALK = """async () => {
  const faults = [];
  const edge = (s, side) => Math.max(...[...s.querySelectorAll("*")].map(e => e.getBoundingClientRect()[side]));
  for (Reveal.slide(0); ; Reveal.next()) {
    const slide = Reveal.getCurrentSlide();
    const name = `${Reveal.getSlidePastCount()}: ${slide.querySelector("h1, h2, h3").textContent}`;
    if (edge(slide, "bottom") > innerHeight || edge(slide, "right") > innerWidth) faults.push(`outside on ${name}`);
    const zoom = Math.min(...[...slide.children].map(e => parseFloat(e.style.zoom) || 1));
    if (zoom < 0.6) faults.push(`small on ${name}`);
    if (slide.querySelector(".math:not(:has(mjx-container))")) faults.push(`formula as source on ${name}`);
    if (Reveal.isLastSlide() && !Reveal.availableFragments().next) return faults;
  }
}"""


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield context.new_page()
    context.close()


@pytest.fixture
def faults(tab):
    found = []
    tab.on("request", lambda request: request.url.startswith(("file:", "data:")) or found.append(request.url))
    tab.on("console", lambda message: message.type == "error" and found.append(message.text))
    tab.on("pageerror", lambda error: found.append(str(error)))
    tab.on("requestfailed", lambda request: found.append(request.url))
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "03_coupling" else pytest.mark.slow) for n in CHAPTERS]
)
def test_every_slide_of_a_deck_is_whole(tab, faults, name):
    tab.goto((HTML / FOLDER / f"{name}.html").as_uri())
    tab.wait_for_selector("body[data-slides]")
    assert int(tab.locator("body").get_attribute("data-slides")) > 10
    faults += tab.evaluate(WALK)
    assert faults == []


@pytest.mark.parametrize("name", [SHEET, KEY])
def test_a_worksheet_is_one_sheet_of_paper(tab, faults, name):
    tab.goto((HTML / name).as_uri())
    assert tab.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == 1
    tab.set_viewport_size({"width": 360, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    assert faults == []
