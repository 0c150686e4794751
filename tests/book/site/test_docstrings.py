import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from sphinx.util.typing import stringify_annotation

from gsrgnn.arguments import TensorLike
from gsrgnn.book.site.docstrings import prepared, shortened


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("share: of the cells", "**share**: of the cells"),
        (
            "cell, net: int64; seed: of the draw. share: none",
            "**cell, net**: int64; **seed**: of the draw. **share**: none",
        ),
        ("other: is no argument, and a share: is no start", "other: is no argument, and a share: is no start"),
        ("as `load` has it, by its `share`", "as `load` has it, by its ``share``"),
        ("the ten `Row`s and ``x``s", "the ten `Row`\\ s and ``x``\\ s"),
        ("files `.def`, `gsrgnn data list`", "files ``.def``, ``gsrgnn data list``"),
        ('"max" or ``"sum"``, "a word"', '``"max"`` or ``"sum"``, "a word"'),
    ],
)
def test_what_is_written_for_the_eye_is_made_plain(written, read):
    assert prepared([written], ["cell", "net", "seed", "share"]) == [read]


def test_an_argument_at_the_start_of_a_line_begins_a_paragraph():
    lines = ["What it does.", "", "name: of it,", "in two lines.", "seed: of the draw"]
    assert prepared(lines, ["name", "seed"]) == [
        *("What it does.", "", "**name**: of it,", "in two lines.", "", "**seed**: of the draw"),
    ]


@pytest.mark.parametrize("mode", ["smart"])
def test_types_have_the_names_that_the_source_gives_them(mode):
    def spelt(kind):
        return stringify_annotation(kind, mode)

    signature = f"(x: {spelt(TensorLike)}, y: {spelt(ArrayLike)} | None, z: {spelt(NDArray[np.int64])})"
    assert shortened(signature) == "(x: TensorLike, y: ArrayLike | None, z: NDArray[~numpy.int64])"
    assert shortened(None) is None
