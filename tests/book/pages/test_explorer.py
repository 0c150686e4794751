"""The explorer's page: its formulas are those of gsrgnn.book.explorer, and mouse, keyboard and links can use it."""

import json
import random
from pathlib import Path

import pytest

from gsrgnn.book import explorer
from gsrgnn.book.explorer import WAYS, Sizes

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "book" / "_static"
SCRIPTS = [STATIC / f"{name}.js" for name in ("elements", "explorer_formulas", "explorer")]
PAGE = ROOT / "_build" / "html" / "chapters" / "25_explorer.html"
FIRST = {"cells": 49_000, "edges": 11_700_000, "width": 384, "layers": 100, "k": 4}
MEASURED = {"circuit": "seven", "cells": 38_656, "edges": 6_768_184, "device": "cpu", "date": "2026-11-25"}


@pytest.fixture(scope="module")
def data():
    """The page's data, with two measured points in place of the records."""
    data = explorer.data(folder="nothing here")
    assert data["points"] == []
    about = MEASURED | {"machine": "a machine", "width": 384, "k": 4, "way": "sparse"}
    data["points"] = [about | {"layers": 4, "bytes": 382_000_000}, about | {"layers": 4, "seconds": 0.38}]
    data["measured"] = [{name: about[name] for name in ("circuit", "cells", "edges", "width")}]
    return json.loads(json.dumps(data))


@pytest.fixture
def bare(browser, data):
    """The formulas alone, on an empty page."""
    tab = browser.new_page()
    tab.add_script_tag(path=SCRIPTS[1])
    tab.evaluate("data => { window.made = gsrgnnExplorer.formulas(data); }", data)
    yield tab
    tab.close()


@pytest.fixture
def page(tmp_path, data):
    """The widget in a folder of its own, under a policy that allows scripts and styles of that folder alone."""
    for path in (*SCRIPTS, STATIC / "explorer.css"):
        (tmp_path / path.name).write_text(path.read_text())
    policy = "default-src 'none'; script-src file:; style-src file:"
    scripts = "".join(f'<script src="{path.name}" defer></script>' for path in SCRIPTS)
    (tmp_path / "page.html").write_text(
        f'<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width"><title>Explorer</title>'
        f'<link rel="stylesheet" href="explorer.css"><div id="explorer"></div>{explorer.element(data)}{scripts}</html>'
    )
    return (tmp_path / "page.html").as_uri()


@pytest.fixture(params=[1280, 360])
def tab(request, browser, page):
    """That page, wide or narrow."""
    context = browser.new_context(viewport={"width": request.param, "height": 900}, offline=True)
    tab = context.new_page()
    complaints = []
    tab.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page)
    yield tab
    too_wide = tab.evaluate("document.documentElement.scrollWidth") > request.param
    context.close()
    assert complaints == []
    assert not too_wide


def cases(count, seed=0):
    """Sizes drawn over all orders of magnitude that the page offers."""
    draw = random.Random(seed)

    def between(low, high):
        return round(low * (high / low) ** draw.random())

    for _ in range(count):
        width = 2 * between(1, 2048)
        yield Sizes(between(100, 10**6), between(100, 10**9), width, between(1, 10_000), between(1, width // 2))


def test_the_formulas_are_pythons_for_200_sizes(bare):
    sizes = list(cases(200))
    keys = [way.key for way in WAYS]
    theirs = bare.evaluate(
        "([sizes, keys]) => sizes.map(s => keys.map(k => made.memory(k, s)))", [[s._asdict() for s in sizes], keys]
    )
    for case, row in zip(sizes, theirs, strict=True):
        assert row == [explorer.memory(key, case) for key in keys], case


@pytest.mark.parametrize("what", ["layers", "width"])
def test_what_fits_is_pythons_and_one_more_does_not_fit(bare, what):
    sizes = list(cases(40, seed=1))
    keys = [way.key for way in WAYS]
    theirs = bare.evaluate(
        "([sizes, keys, what]) => sizes.map(s => keys.map(k => made.greatest(k, s, 8e9, what)))",
        [[s._asdict() for s in sizes], keys, what],
    )
    more = 2 if what == "width" else 1
    seen = set()
    for case, row in zip(sizes, theirs, strict=True):
        for key, most in zip(keys, row, strict=True):
            assert most == explorer.greatest(key, case, 8 * 10**9, what), (key, case)
            seen.add(min(most, 1))
            if most:
                assert explorer.total(key, case._replace(**{what: most})) <= 8 * 10**9
            if most < explorer.LARGEST[what]:
                least = 2 * case.k if what == "width" else 1
                beyond = max(most + more, least)
                assert explorer.total(key, case._replace(**{what: beyond})) > 8 * 10**9
    assert seen == {0, 1}


def test_a_time_is_pythons_and_at_its_own_sizes_the_measured_one(bare, data):
    own = {"cells": 38_656, "edges": 6_768_184, "width": 384, "layers": 4, "k": 4, "seconds": 0.38}
    for device in ("cpu", "cuda"):
        there = own | {"device": device}
        for way in WAYS:
            assert bare.evaluate("([w, p]) => made.stepSeconds(w, p, p)", [way.key, there]) == pytest.approx(0.38)
            for case in cases(20, seed=2):
                theirs = bare.evaluate("([w, s, p]) => made.stepSeconds(w, s, p)", [way.key, case._asdict(), there])
                ours = explorer.step_seconds(way.key, case, there, device)
                assert theirs == pytest.approx(ours, rel=1e-12), (way, case)


def test_the_nearest_measured_step_is_taken(bare):
    points = [{**FIRST, "layers": layers, "way": way} for layers in (4, 50, 1000) for way in ("sparse", "revgnn")]
    nearest = bare.evaluate("([points, s]) => made.nearest(points, 'revgnn', s)", [points, FIRST])
    assert nearest == {**FIRST, "layers": 50, "way": "revgnn"}
    assert bare.evaluate("([points, s]) => made.nearest(points, 'dense', s) ?? null", [points, FIRST]) is None


def row(tab, label):
    return tab.locator(".explorer-table tbody tr", has_text=label).locator("td")


def test_the_page_opens_with_what_fits(tab):
    most = explorer.greatest("sparse", Sizes(**FIRST), 8 * 10**9, "layers")
    answer = tab.locator(".explorer-answer")
    assert "What fits in 8 GB?" in answer.text_content()
    assert f"{most:,} layers of GSR-GNN, sparse residual" in answer.text_content()
    assert "Not one layer of" in answer.text_content()
    assert "RevGNN on an edge_index" in answer.locator("p").last.text_content()
    tab.get_by_label("80 GB").check()
    assert "What fits in 80 GB?" in answer.text_content()
    assert "Not one layer" not in answer.text_content()


def test_sliders_and_numbers_set_the_sizes_and_each_other(tab):
    exact, slider = tab.locator("#explorer-layers"), tab.locator("#explorer-range-layers")
    exact.fill("1000")
    expected = explorer.total("dense", Sizes(**(FIRST | {"layers": 1000})))
    assert (
        row(tab, "dense residual").first.locator("strong").text_content() == f"{expected / 1e9:.2f}\N{NO-BREAK SPACE}GB"
    )
    slider.focus()
    assert slider.get_attribute("aria-valuetext") == "1,000"
    tab.keyboard.press("ArrowRight")
    assert exact.input_value() == "2000"
    tab.locator("#explorer-width").fill("4")
    assert tab.locator("#explorer-k").input_value() == "2"


def test_a_number_that_cannot_be_is_refused_beside_its_field(tab):
    field = tab.locator("#explorer-width")
    before = row(tab, "dense residual").first.text_content()
    for wrong in ("7", "0", "", "99999", "3.5"):
        field.fill(wrong)
        assert field.get_attribute("aria-invalid") == "true"
        assert "384 stays in use" in tab.locator(f"#{field.get_attribute('aria-describedby')}").text_content()
        assert row(tab, "dense residual").first.text_content() == before
    field.blur()
    assert field.input_value() == "384"
    assert field.get_attribute("aria-invalid") is None


def test_measured_points_lie_over_the_chart_where_sizes_are_theirs(tab):
    assert tab.locator(".explorer-measured").count() == 0
    assert "Nothing was measured" in tab.locator("figcaption").text_content()
    tab.get_by_label("Circuit").select_option(label="seven, width 384")
    assert tab.locator(".explorer-measured").count() == 1
    assert "1 measured step (seven, a machine)" in tab.locator("figcaption").text_content()
    time = row(tab, "sparse residual").last
    assert "about" in time.text_content()
    tab.locator("#explorer-layers").fill("4")
    assert "380\N{NO-BREAK SPACE}ms" in time.text_content()
    assert "measured" in time.text_content()
    assert row(tab, "GraphSAGE").last.text_content().strip() == "not measured"
    tab.get_by_label("Circuit").select_option(label="7157-R")
    assert tab.locator(".explorer-measured").count() == 1  # the same circuit, as the paper counts it


def test_an_address_opens_the_sizes_that_it_was_copied_at(tab, browser):
    start = tab.url
    assert "#" not in start
    tab.get_by_label("Circuit").select_option(label="5324-F")
    tab.locator("#explorer-layers").fill("77")
    tab.get_by_label("24 GB").check()
    other = browser.new_page()
    other.goto(tab.url)
    assert other.locator("#explorer-cells").input_value() == "69800"
    assert other.locator("#explorer-layers").input_value() == "77"
    assert other.locator("#explorer-circuit option:checked").text_content() == "5324-F"
    assert "What fits in 24 GB?" in other.locator(".explorer-answer").text_content()
    other.goto(f"{start}#cells=-1&edges=x&width=7&layers=5&k=400&budget=9")
    other.reload()
    assert other.locator("#explorer-cells").input_value() == "49000"
    assert other.locator("#explorer-layers").input_value() == "5"
    other.close()


def test_every_control_has_a_name(tab):
    names = tab.locator("#explorer :is(input, select)").evaluate_all(
        "all => all.map(e => e.ariaLabel || e.labels?.[0]?.textContent || '')"
    )
    assert len(names) == 1 + 2 * len(FIRST) + len(explorer.BUDGETS)
    assert all(name.strip() for name in names)


@pytest.mark.parametrize("width", [1280, 360])
def test_the_built_page_lays_records_over_the_chart(browser, width):
    if not PAGE.exists():
        pytest.skip("no _build/html/chapters/25_explorer.html: make book")
    for script in SCRIPTS:
        built = PAGE.parents[1] / "_static" / script.name
        assert built.read_text() == script.read_text(), "the book holds an older script: make book"
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    tab = context.new_page()
    tab.goto(PAGE.as_uri())
    measured = tab.locator("#explorer-circuit optgroup").nth(1).locator("option")
    assert measured.count() > 0
    tab.get_by_label("Circuit").select_option(label=measured.first.text_content())
    assert tab.locator(".explorer-measured").count() > 0
    assert row(tab, "RevGNN without messages").last.text_content() != "not measured"
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
