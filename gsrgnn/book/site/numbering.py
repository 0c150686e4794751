"""Figures numbered through the book, "Figure 14.1", and the words that refer to them."""

import re
from itertools import count

FIGURE = re.compile(r'<figure class="gsr-figure"([^>]*)>(.*?)</figure>', re.DOTALL)
CHAPTER = re.compile(r'<h1><span class="section-number">(\d+)\.')
REFERENCE = re.compile(r'<a class="gsr-ref" href="#([^"]+)">(.*?)</a>', re.DOTALL)
NAME = re.compile(r' id="([^"]+)"')


def numbered(page: str) -> str:
    """`page` with a number before each figure's caption, that of its chapter first where it has one.

    A reference to a figure reads as its number; one to a figure that the page does not have is plain words. Of figures
    with one name, as views of several machines have, the first is meant.
    """
    chapter = CHAPTER.search(page)
    before = f"{chapter[1]}." if chapter else ""
    numbers: dict[str, str] = {}
    places = count(1)

    def number(found: re.Match) -> str:
        words, attributes = f"Figure {before}{next(places)}", found[1]
        name = NAME.search(attributes)
        if name and name[1] in numbers:
            attributes = NAME.sub("", attributes)
        elif name:
            numbers[name[1]] = words
        label = f'<span class="gsr-number">{words}</span>'
        opening, caption, rest = found[2].partition("<figcaption>")
        inner = f"{opening}<figcaption>{label} {rest if caption else '</figcaption>'}"
        return f'<figure class="gsr-figure"{attributes}>{inner}</figure>'

    page = FIGURE.sub(number, page)
    return REFERENCE.sub(lambda r: f'<a href="#{r[1]}">{numbers[r[1]]}</a>' if r[1] in numbers else r[2], page)
