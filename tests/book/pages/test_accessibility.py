"""axe-core on every page: nothing serious or critical, in both schemes and at both widths."""

from pathlib import Path

import pytest

from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
PAGES = pages(ROOT)
GRAVE = ("serious", "critical")

# axe's time goes with the number of elements. Of what repeats in a page, it looks at the first five.
THIN = """for (const many of ["pre", "table.gsr-matrix", "mjx-container"]) {
  [...document.querySelectorAll(`article ${many}`)].slice(5).forEach(one => one.remove());
}"""

pytestmark = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no _build/html: make book")


@pytest.fixture(scope="module")
def axe():
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_no_page_shuts_a_reader_out(browser, axe, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    faults = []
    for page in [*PAGES, "404", "search"]:
        tab.goto((HTML / f"{page}.html").as_uri(), wait_until="load")
        tab.evaluate("window.MathJax?.startup?.promise")
        tab.evaluate(THIN)
        tab.evaluate(axe)
        found = tab.evaluate("axe.run({resultTypes: ['violations'], preload: false})")["violations"]
        faults += [
            f"{page}: {one['id']}: {len(one['nodes'])} times, as in {one['nodes'][0]['html'][:200]}"
            for one in found
            if one["impact"] in GRAVE
        ]
    context.close()
    assert faults == []
