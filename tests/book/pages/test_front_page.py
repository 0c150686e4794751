"""The picture of the front page, played by mouse and by keyboard."""

from pathlib import Path

import pytest

from gsrgnn.book import passes

PAGE = Path(__file__).parents[3] / "_build" / "html" / "chapters" / "index.html"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="no _build/html: make book")


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(PAGE.as_uri())
    yield page
    page.close()


def amounts(page):
    return [words.replace("\u00a0", " ") for words in page.locator(".passes-table td").all_inner_texts()]


def shown(number):
    return f"{number / 1e9:.{2 if number < 10e9 else 1}f} GB"


def test_the_amounts_are_those_of_the_layer_that_the_slider_is_at(page):
    frame = passes.held()
    slider = page.get_by_label("Where the step is")
    for key, place in (("Home", 0), ("ArrowRight", 1), ("End", len(frame) - 1)):
        slider.press(key)
        assert amounts(page) == [shown(number) for number in frame.loc[place]]
    assert slider.get_attribute("aria-valuetext") == "back at the first layer"


def test_it_plays_from_the_start_and_stops_when_told(page):
    page.get_by_label("Where the step is").press("End")
    button = page.get_by_role("button", name="Play")
    button.click()
    page.locator(".passes-words", has_text="forward, after layer 1").wait_for()
    page.get_by_role("button", name="Stop").press("Enter")
    words = page.locator(".passes-words").inner_text()
    page.wait_for_timeout(300)
    assert page.locator(".passes-words").inner_text() == words
    assert button.is_visible()


def test_without_javascript_the_drawing_stays(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(PAGE.as_uri())
    assert page.locator("#passes .gsr-figure svg").is_visible()
    context.close()
