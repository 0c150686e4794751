"""Decks made of pages: what starts a slide, what is left out, where links lead."""

import pytest
from bs4 import BeautifulSoup

from gsrgnn.book.site import slides

PAGE = """<!DOCTYPE html><html><head>
<link rel="stylesheet" href="../_static/book.css?v=1" /><link rel="stylesheet" href="../_static/togglebutton.css" />
<script>window.MathJax = {}</script><script src="../_static/mathjax/tex-chtml.js"></script>
<script src="../_static/scripts/bootstrap.js"></script></head><body><article>
<section id="top"><h1>A chapter<a class="headerlink" href="#top">#</a></h1><p>Goals.</p>
<div class="cell slide-skip"><div class="cell_input">import numpy</div></div>
<section id="one"><h2>One</h2><p>See <a href="02_b.html#x">b</a>, <a href="../book/notation.html">words</a>,
<a href="#two">two</a>, <a href="https://example.org/">far</a>.</p>
<div class="cell"><div class="cell_input"><pre>show(matrix)
</pre></div><div class="cell_output">a matrix</div></div>
<div class="cell"><div class="cell_input"><pre><span></span><span>W</span> = 1

<span>show</span><span>(</span>
    matrix(W),
)
</pre></div><div class="cell_output">another</div></div>
<div class="cell tag_hide-input"><details><summary>Show</summary><div class="cell_input">noise = 1</div></details>
<div class="cell_output">a figure</div></div>
<section id="two"><h3>Two</h3>
<div class="cell"><div class="cell_input">x = 1</div><div class="cell_output">1</div></div>
<div class="cell tag_hide-cell slide-fragment"><details><summary>Show</summary><div class="cell_input">y = 2</div>
<div class="cell_output">two</div></details></div></section></section>
<div class="dropdown admonition">How this page was made</div></section></article></body></html>"""


@pytest.fixture(scope="module")
def deck():
    return BeautifulSoup(slides.deck(PAGE, "01_a"), "html.parser")


def test_a_heading_starts_a_slide_and_what_follows_is_on_it(deck):
    found = [section.get_text(" ", strip=True) for section in deck.select(".slides > section")]
    assert found == [
        "A chapter Goals.",
        "One See b , words , two , far . a matrix W = 1 another a figure",
        "Two x = 1 1 y = 2 two",
    ]


def test_a_solution_comes_with_a_key_press_and_in_one_piece(deck):
    (fragment,) = deck.select(".fragment")
    assert fragment.get_text(" ", strip=True) == "y = 2 two"
    assert not deck.find_all(["details", "summary"])


def test_links_lead_where_the_page_s_lead(deck):
    assert [a["href"] for a in deck.find_all("a")] == [
        "../chapters/02_b.html#x",
        "../book/notation.html",
        "../chapters/01_a.html#two",
        "https://example.org/",
    ]


def test_a_deck_loads_the_book_s_style_and_formulas_and_nothing_for_its_menus(deck):
    assert [link["href"] for link in deck.find_all("link")] == [
        "../_static/book.css?v=1",
        "../_static/reveal/reveal.css",
        "../_static/slides.css",
    ]
    assert [script.get("src", script.text) for script in deck.find_all("script")] == [
        "window.MathJax = {}",
        "../_static/mathjax/tex-chtml.js",
        "../_static/reveal/reveal.js",
        "../_static/slides.js",
    ]
