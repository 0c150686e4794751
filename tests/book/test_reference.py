"""The pages of the reference: each public name of the library is in one of them."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import gsrgnn
from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book" / "api").glob("*.md"))

# Which names of a module are for other modules of the package alone. Those of any other module are in the reference.
FOR_THE_PACKAGE = {
    "gsrgnn.cbsr": "array capturing check_devices check_graph check_k check_rows index_dtype net_table operator select",
    "gsrgnn.circuits": "check_options is_file",
    "gsrgnn.circuits.bookshelf": "sources",
    "gsrgnn.circuits.congestion": "box_mean check_combine check_placed is_macro net_boxes pin_gcells sum_of_boxes",
    "gsrgnn.circuits.data": "check_choice check_choices",
    "gsrgnn.circuits.features": "cell_size",
    "gsrgnn.circuits.placement_features": "gcell_maps",
    "gsrgnn.kernels.fixed_point": "crowded scales",
    "gsrgnn.label": "Spread check_finite check_resolved joint_moments parts whole_label",
    "gsrgnn.layer_rates": "checked_rates",
    "gsrgnn.metrics": "columns",
    "gsrgnn.model_file": "beside checked copied copy_of described kinds read write",
    "gsrgnn.passes": "Epoch as_columns check_columns graph_norm in_mode predicted",
    "gsrgnn.reversible": "Parameters Scratch",
}

# Modules of which nothing is meant for users.
INSIDE = {
    *("arguments", "checkpoint", "collection", "cuda_graph", "eager", "jit", "many_circuits", "one_circuit", "pins"),
    *("progress", "ranks", "kernels.gpu", "kernels.order", "kernels.self_check", "kernels.torch_path"),
    *("circuits.caller", "circuits.cell_sizes", "circuits.circuitnet", "circuits.def_sections", "circuits.library"),
    *("circuits.maps", "circuits.netlist_file", "circuits.pickled", "circuits.r2g", "circuits.synthesis"),
    "circuits.words",
}

NOT_THE_LIBRARY = ("gsrgnn.lab", "gsrgnn.book", "gsrgnn.cli", "gsrgnn.kernels.cpu", "gsrgnn.kernels.cuda")

MODULES = ["gsrgnn"] + [
    name
    for _, name, _ in pkgutil.walk_packages(gsrgnn.__path__, "gsrgnn.", onerror=lambda name: None)
    if not name.startswith(NOT_THE_LIBRARY)
]


def directives(pattern):
    """Qualified names, in the order of the pages."""
    return [name for page in PAGES for name in re.findall(pattern, page.read_text(), re.MULTILINE)]


DOCUMENTED = directives(r"^\.\. auto(?:function|class|exception|data):: (\S+)$")


def public(module):
    """What a module offers: its ``__all__``, or else the functions and classes that it defines itself."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__ == module.__name__
    ]
    return {name for name in names if not name.startswith("_") and not inspect.ismodule(getattr(module, name))}


@pytest.mark.parametrize("module", MODULES)
def test_each_public_name_is_in_the_reference(module):
    there = importlib.import_module(module)
    known = [getattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in DOCUMENTED]
    missing = {name for name in public(there) if not any(getattr(there, name) is thing for thing in known)}
    if module.removeprefix("gsrgnn.") in INSIDE:
        assert missing == public(there) != set()
    else:
        assert missing == set(FOR_THE_PACKAGE.get(module, "").split()), "give it a place in book/api, or in this file"


def test_a_name_is_documented_once_and_listed_above():
    listed = directives(r"^   ~(gsrgnn\S+)$")
    assert sorted(listed) == sorted(set(DOCUMENTED)) == sorted(DOCUMENTED)


def test_each_page_of_the_reference_is_in_the_table_of_contents():
    assert {f"book/api/{page.stem}" for page in PAGES} == {page for page in pages(ROOT) if page.startswith("book/api/")}
