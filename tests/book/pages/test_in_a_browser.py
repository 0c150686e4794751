"""Every page in Chromium, narrow and wide, light and dark, from a folder and from a server, by eye and by axe-core."""

from pathlib import Path

import pytest

from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
PAGES = pages(ROOT)
SOON = ["chapters/index", "chapters/00_scoreboard", "chapters/04_forward", "chapters/25_explorer"]  # all take minutes

pytestmark = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no _build/html: make book")

LOOK = """async ([width, smallest]) => {
  await window.MathJax?.startup?.promise;
  const elements = document.querySelectorAll("article *:not(svg *), article svg text");
  const seen = [...elements].filter(e => e.getClientRects().length);
  const words = e => e.textContent.trim().slice(0, 60);
  const all = (selector, faulty) => [...new Set(seen.filter(e => e.matches(selector) && faulty(e)).map(words))];
  const height = text => {
    const m = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(m.a, m.b);
  };
  const isOut = e => e.scrollWidth > e.clientWidth + 1;
  const scrolls = e => isOut(e) && /auto|scroll/.test(getComputedStyle(e).overflowX);
  const reached = e => e.tabIndex >= 0 || e.querySelector("a, button, input, select, summary, [tabindex='0']");
  const page = document.documentElement;
  return {
    "wider than the screen": page.scrollWidth > width ? [page.scrollWidth] : [],
    "code wider than its box": all("pre:not(.cell_output *)", isOut),
    "text too small in a figure": all("svg text", e => words(e) && height(e) < smallest),
    "formulas that MathJax did not set": all(".math", e => !e.querySelector("mjx-container")),
    "out of a keyboard's reach": all("*", e => scrolls(e) && !reached(e)),
  };
}"""


# Colours that the theme fades in are looked at when they are there.
SETTLED = "() => document.getAnimations().forEach(one => one.finish())"

# axe's time goes with the number of elements. Of what repeats in a page, it looks at the first five.
THIN = """for (const many of ["pre", "table.gsr-matrix", "mjx-container"]) {
  [...document.querySelectorAll(`article ${many}`)].slice(5).forEach(one => one.remove());
}"""

GRAVE = """async () => (await axe.run({resultTypes: ["violations"], preload: false})).violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.nodes.length} times, as in ${one.nodes[0].html.slice(0, 200)}`).sort()"""


@pytest.fixture(scope="module")
def axe():
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text()


def test_the_look_finds_what_is_wrong(browser):
    tab = browser.new_page(viewport={"width": 360, "height": 900})
    tab.set_content(
        """<html><article style="width: 330px">
        <p style="width: 400px">too wide</p><pre style="overflow: hidden">{0}</pre>
        <div style="overflow-x: auto; white-space: nowrap">out of reach {0}</div>
        <div style="overflow-x: auto; white-space: nowrap" tabindex="0">in reach {0}</div>
        <svg viewBox="0 0 100 50" width="50">
          <text y="9" font-size="16">small</text><text y="40" font-size="20">high</text>
        </svg>
        <span class="math">x^2</span></article></html>""".format("word " * 20)
    )
    found = tab.evaluate(LOOK, [360, 9])
    tab.close()
    assert [str(places[0]).split()[0] for places in found.values()] == ["408", "word", "small", "x^2", "out"]
    assert all(len(places) == 1 for places in found.values())


def lost(request):
    """A file that did not come, but for what the browser gave up itself since the next page was asked for."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"not loaded: {request.url}: {request.failure}"]


@pytest.fixture(
    scope="module",
    params=[(1280, ("light", "dark"), "a server"), (360, ("dark", "light"), "a folder")],
    ids=["wide", "narrow"],
)
def window(request, browser, served):
    """A tab, its width, where it finds pages, the schemes to see them in, and what was reported since it was opened."""
    width, schemes, where = request.param
    home = served if where == "a server" else HTML.as_uri() + "/"
    context = browser.new_context(viewport={"width": width, "height": 900})
    tab, faults = context.new_page(), []
    tab.on("request", lambda request: request.url.startswith((home, "data:")) or faults.append(request.url))
    tab.on("console", lambda message: message.type == "error" and faults.append(message.text))
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("requestfailed", lambda request: faults.extend(lost(request)))
    yield tab, width, home, schemes, faults
    context.close()


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[] if page in SOON else pytest.mark.slow) for page in [*PAGES, "search"]]
)
def test_a_page_in_a_browser(window, axe, page):
    tab, width, home, schemes, faults = window
    faults.clear()
    for scheme in schemes:
        tab.emulate_media(color_scheme=scheme)
        tab.goto(f"{home}{page}.html", wait_until="load")
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        found = tab.evaluate(LOOK, [width, 9 if width < 600 else 0])
        faults += [f"{scheme}: {fault}: {what}" for fault, places in found.items() for what in places]
    tab.evaluate(SETTLED)
    tab.evaluate(THIN)
    tab.evaluate(axe)
    faults += tab.evaluate(GRAVE)
    assert faults == []


def test_axe_finds_what_is_wrong(browser, axe):
    tab = browser.new_page()
    tab.set_content("<title>a</title><button></button><p style='color: #ccc; background: #fff'>pale</p>")
    tab.evaluate(axe)
    assert [words.partition(":")[0] for words in tab.evaluate(GRAVE)] == [
        "button-name",
        "color-contrast",
        "html-has-lang",
    ]
    tab.close()
