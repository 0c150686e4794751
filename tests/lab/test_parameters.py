from pathlib import Path

import nbformat
import numpy as np
import pytest

from gsrgnn.lab.notebooks import check_parameters
from gsrgnn.lab.parameters import declared

CELL = """\
num_layers = 10
below = -1
seconds = 60 * 60
limit = 120.0
half = 1 / 2
verbose = True
quiet = not True
name = "a"
path = f"{name}/b"
ks = [4, 8]
rates = [2e-3, 1]
several = (1, 2)
nothing = None
made = compute(3)
counts = list(range(3))
nodes, width = 5, 2.5
table = {"a": 1}
slow: float = 30
only: str | None = None
depths: "list[int]" = []
odd: Unknown = 3
"""


@pytest.fixture(scope="module")
def notebook():
    cell = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_layers", 3),
        ("num_layers", -3),
        ("below", 0),
        ("seconds", 5),
        ("limit", 3),
        ("limit", 2.5),
        ("half", 1),
        ("verbose", False),
        ("quiet", True),
        ("name", "8"),
        ("path", ""),
        ("ks", [16]),
        ("ks", []),
        ("rates", [1, 1e-2]),
        ("several", (3,)),
        ("nothing", 3),
        ("nothing", "a"),
        ("nothing", [None, "a"]),
        ("made", "a"),
        ("counts", ["a"]),
        ("nodes", 7),
        ("width", 7),
        ("table", {"b": None}),
        ("slow", 2.5),
        ("slow", 3),
        ("only", "a"),
        ("only", None),
        ("depths", [1]),
        ("odd", 4),
    ],
)
def test_a_value_of_the_declared_kind_is_taken(notebook, name, value):
    check_parameters(notebook, {name: value}, Path("page.py"))


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("num_layers", "ten", "a whole number, as its default 10"),
        ("num_layers", 2.0, "a whole number"),
        ("num_layers", True, "a whole number"),
        ("num_layers", None, "a whole number"),
        ("num_layers", [3], "a whole number"),
        ("num_layers", np.int64(3), "what JSON can hold"),
        ("below", "-1", "a whole number, as its default -1"),
        ("seconds", 0.5, "a whole number"),
        ("limit", "inf", "a number"),
        ("limit", False, "a number"),
        ("half", "0.5", "a number"),
        ("verbose", "no", "True or False, as its default True"),
        ("verbose", 0, "True or False"),
        ("quiet", "yes", "True or False"),
        ("name", None, "text"),
        ("path", 3.5, "text"),
        ("ks", 4, "a list of whole numbers"),
        ("name", 8, "text, as its default 'a'; as text it is '\"8\"' in a shell"),
        ("ks", (4, 8), "a list of whole numbers"),
        ("ks", "4,8", "a list"),
        ("ks", [4, "a"], "a list of whole numbers"),
        ("ks", [True], "a list"),
        ("rates", [None], "a list of numbers"),
        ("several", [1, 2], "a tuple"),
        ("nothing", {1}, "JSON"),
        ("made", b"a", "JSON"),
        ("counts", 3, "a list"),
        ("nodes", "a", "a whole number"),
        ("width", "a", "a number"),
        ("table", [1], "a dict"),
        ("table", {1: 2}, "JSON"),
        ("slow", "a", "a number, as its default 30"),
        ("only", 3, "text or None"),
        ("depths", ["a"], "a list of whole numbers"),
        ("odd", "a", "a whole number"),
    ],
)
def test_another_kind_is_refused_by_name_with_what_is_taken(notebook, name, value, takes):
    with pytest.raises(ValueError, match=f"^page.py: {name} is ") as raised:
        check_parameters(notebook, {name: value}, Path("page.py"))
    assert takes in str(raised.value)
    assert repr(value) in str(raised.value)


def test_all_that_is_wrong_is_said_at_once_and_shortened(notebook):
    with pytest.raises(ValueError, match=r"num_layers is .*; verbose is ") as raised:
        check_parameters(notebook, {"num_layers": "x" * 10_000, "verbose": 1}, Path("page.py"))
    assert len(str(raised.value)) < 300
    assert list(declared(notebook))[:3] == ["num_layers", "below", "seconds"]
