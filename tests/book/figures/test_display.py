import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sample_figures import DRAW, drawn

from gsrgnn.book import figures


def test_pictures_speak():
    picture = figures.show(drawn("layers.sparsity_pattern"), alt='a "quoted" <alt>', caption="<b>")
    page = picture._repr_html_()
    assert 'role="img" aria-label="a &quot;quoted&quot; &lt;alt&gt;"' in page
    assert "<figcaption>&lt;b&gt;</figcaption>" in page
    assert repr(picture) == '[a "quoted" <alt>]\n<b>'


def test_a_caption_says_the_finding_and_below_it_the_setting():
    picture = figures.show(drawn("layers.sparsity_pattern"), alt="x", caption="It grows.", setting="a < b", name="n")
    page = picture._repr_html_()
    assert '<figcaption>It grows.<small class="gsr-setting">a &lt; b</small></figcaption>' in page
    assert page.startswith('<figure class="gsr-figure" id="n" ')
    assert repr(picture) == "[x]\nIt grows.\na < b"


def test_drawings_of_one_width_stand_in_columns_of_one_width():
    one = drawn("layers.sparsity_pattern")
    assert "display: grid" in figures.show(one, one, alt="x")._repr_html_()
    assert "display: grid" not in figures.show(one, alt="x")._repr_html_()
    assert "display: grid" not in figures.show(one, drawn("graphs.piece"), alt="x")._repr_html_()


def test_words_stand_left_and_numbers_right_each_below_its_header():
    frame = pd.DataFrame({"n": [1.5], "said": ["≥ 3 (2 to 4)"], "words": ["out of memory"], "code": ["356-R"]})
    page = figures.table(frame).to_html()
    for place, side in enumerate(["right", "right", "left", "left"]):
        for cell in ("th.level0", "td"):
            assert re.search(rf"{re.escape(cell)}\.col{place} \{{\s*text-align: {side}", page)


def test_ids_of_two_figures_do_not_meet():
    page = figures.show(drawn("training.prediction_scatter"), alt="x")._repr_html_()
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', page)) <= set(ids)


def test_the_same_figure_is_the_same_text():
    one, other = DRAW["graphs.piece"](), DRAW["graphs.piece"]()
    assert figures.show(one, alt="x")._repr_html_() == figures.show(other, alt="x")._repr_html_()


def test_marks_of_one_style_say_it_once():
    edges = np.array([(i, j) for i in range(9) for j in range(i)]).T
    page = figures.show(figures.graphs.piece(edges), alt="x")._repr_html_()
    lines = re.findall(r'<path d="M [\d.]+ [\d.]+ L [\d.]+ [\d.]+"([^>]*)/>', page)
    assert lines == [""] * edges.shape[1]
    assert page.count("stroke-opacity") == 1


def test_tables_are_the_themes():
    page = figures.table(pd.DataFrame({"n": [1234]}), "{:,}", caption="c", index=False).to_html()
    for part in ('class="dataframe"', "1,234", "<caption>c</caption>"):
        assert part in page


def test_cells_run_over_lines_where_they_are_told_to():
    frame = pd.DataFrame({"said": ["a long sentence"]})
    assert "gsr-words" in figures.table(frame, wrap=True).to_html()
    assert "gsr-words" not in figures.table(frame).to_html()


def test_a_saved_figure_is_a_whole_file_on_white(tmp_path):
    path = tmp_path / "map.png"
    figures.save(drawn("die.prediction")[0], path)
    assert np.asarray(mpl.image.imread(path))[0, 0].tolist() == [1, 1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        figures.save(drawn("die.prediction")[0], tmp_path / "none" / "map.png")
    with pytest.raises(ValueError, match="Format 'csv' is not supported"):
        figures.save(drawn("die.prediction")[0], tmp_path / "map.csv")
