from gsrgnn.book.figures import reference
from gsrgnn.book.site.numbering import numbered

HEAD = '<h1><span class="section-number">14. </span>Deep</h1>'


def figure(caption="", name=""):
    return f'<figure class="gsr-figure"{name} style="x"><svg></svg>{caption}</figure>'


def test_figures_are_numbered_by_chapter_with_and_without_a_caption():
    page = numbered(HEAD + figure("<figcaption>It grows.</figcaption>") + figure())
    assert '<figcaption><span class="gsr-number">Figure 14.1</span> It grows.</figcaption>' in page
    assert '<figcaption><span class="gsr-number">Figure 14.2</span> </figcaption>' in page
    assert numbered("<h1>No number</h1>" + figure()).count("Figure 1<") == 1


def test_a_reference_reads_as_the_number_or_as_words_where_the_figure_is_missing():
    page = numbered(HEAD + reference("b") + figure() + figure(name=' id="b"') + reference("gone"))
    assert '<a href="#b">Figure 14.2</a>' in page
    assert page.endswith("the figure")


def test_of_two_figures_with_one_name_the_first_has_it():
    page = numbered(HEAD + 2 * figure(name=' id="a"') + reference("a"))
    assert page.count('id="a"') == 1
    assert '<a href="#a">Figure 14.1</a>' in page
