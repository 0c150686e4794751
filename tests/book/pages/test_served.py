"""The built book behind a server: its weight, its search, its page for wrong addresses, and its policy at work."""

from pathlib import Path

import pytest

from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
PAGES = pages(ROOT)
MB = 1_000_000

pytestmark = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no _build/html: make book")


@pytest.fixture
def tab(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_the_site_is_light():
    assert sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file()) <= 15 * MB


def test_a_first_view_is_light(tab, served):
    largest = max(PAGES, key=lambda page: (HTML / f"{page}.html").stat().st_size)
    loaded = []
    tab.on("requestfinished", lambda request: loaded.append(request.sizes()))
    tab.goto(f"{served}{largest}.html", wait_until="networkidle")
    assert len(loaded) > 20
    size = sum(sizes["responseBodySize"] + sizes["responseHeadersSize"] for sizes in loaded)
    assert 100_000 < size <= MB, f"{largest} brings {size:,} bytes"


@pytest.mark.parametrize(
    ("query", "page"), [("87.2", "00_scoreboard"), ("7157", "07_circuit_graph"), ("group sparsity", "01_")]
)
def test_search_finds_numbers_and_words_and_shows_where(tab, served, query, page):
    tab.goto(f"{served}search.html?q={query}")
    found = tab.locator("#search-results li", has=tab.locator(f"a[href*='{page}']")).first
    found.locator(".context").wait_for()
    assert query.split()[0] in found.locator(".context").text_content().lower()


@pytest.mark.parametrize("place", ["nowhere.html", "chapters/no/such/page.html"])
def test_a_wrong_address_leads_back_from_every_depth(tab, served, place):
    faults = []
    tab.on("requestfailed", lambda request: faults.append(request.url))
    tab.on("response", lambda response: response.status != 200 and faults.append(response.url))
    assert tab.goto(served + place).status == 404
    assert faults == [served + place]
    tab.locator("article").get_by_role("link", name="The front page").click()
    assert tab.url == f"{served}{PAGES[0]}.html"


def test_the_root_leads_to_the_front_page(tab, served):
    tab.goto(f"{served}index.html")
    tab.wait_for_url(f"{served}{PAGES[0]}.html")


def test_the_policy_runs_no_script_that_a_page_does_not_hold(tab, served):
    refused = []
    tab.on("console", lambda message: refused.append(message.text))
    tab.goto(f"{served}{PAGES[0]}.html", wait_until="load")
    assert not any("Content Security Policy" in text for text in refused)
    tab.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.smuggled = true";
        document.body.append(script);
        const button = document.createElement("button");
        button.setAttribute("onclick", "window.smuggled = true");
        document.body.append(button);
        button.click();
    }""")
    assert tab.evaluate("window.smuggled") is None
    assert sum("Content Security Policy" in text for text in refused) == 2
