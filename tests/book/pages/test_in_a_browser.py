"""Every page in Chromium, narrow and wide, light and dark, from a folder and from a server."""

from pathlib import Path

import pytest

from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
PAGES = pages(ROOT)

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
    theme: page.dataset.theme,
    "wider than the screen": page.scrollWidth > width ? [page.scrollWidth] : [],
    "code wider than its box": all("pre:not(.cell_output *)", isOut),
    "text too small in a figure": all("svg text", e => words(e) && height(e) < smallest),
    "formulas that MathJax did not set": all(".math", e => !e.querySelector("mjx-container")),
    "out of a keyboard's reach": all("*", e => scrolls(e) && !reached(e)),
  };
}"""


def test_the_look_finds_what_is_wrong(browser):
    tab = browser.new_page(viewport={"width": 360, "height": 900})
    tab.set_content(
        """<html data-theme="light"><article style="width: 330px">
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
    assert found.pop("theme") == "light"
    assert [str(places[0]).split()[0] for places in found.values()] == ["408", "word", "small", "x^2", "out"]
    assert all(len(places) == 1 for places in found.values())


def lost(request):
    """A file that did not come, but for what the browser gave up itself since the next page was asked for."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"not loaded: {request.url}: {request.failure}"]


@pytest.mark.parametrize(
    ("width", "scheme", "where"),
    [(1280, "light", "a server"), (1280, "dark", "a folder"), (360, "light", "a folder"), (360, "dark", "a server")],
)
def test_pages_in_a_browser(browser, served, width, scheme, where):
    home = served if where == "a server" else HTML.as_uri() + "/"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    faults = []
    tab = context.new_page()
    now = []
    tab.on("request", lambda request: request.url.startswith((home, "data:")) or faults.append(request.url))
    tab.on("console", lambda message: message.type == "error" and faults.append(f"{now[-1]}: {message.text}"))
    tab.on("pageerror", lambda error: faults.append(f"{now[-1]}: {error}"))
    tab.on("requestfailed", lambda request: faults.extend(lost(request)))
    for page in PAGES:
        now.append(page)
        tab.goto(f"{home}{page}.html", wait_until="load")
        found = tab.evaluate(LOOK, [width, 9 if width < 600 else 0])
        assert found.pop("theme") == scheme
        faults += [f"{page}: {fault}: {what}" for fault, places in found.items() for what in places]
    context.close()
    assert faults == []
