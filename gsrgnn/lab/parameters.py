"""A notebook's parameters: what its parameters cell declares, and which values are of the kind that is declared."""

import ast
import builtins
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any

from nbformat import NotebookNode

ONE = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a tuple",
    dict: "a dict",
    set: "a set",
    NoneType: "None",
}
MANY = {
    bool: "True or False",
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    list: "lists",
    tuple: "tuples",
    dict: "dicts",
    set: "sets",
    NoneType: "None",
}
HANDED_ON = (NoneType, bool, int, float, str, list, tuple, dict)  # what papermill writes into a notebook as it is
TYPES = {kind.__name__: kind for kind in ONE if kind is not NoneType}


@dataclass(frozen=True)
class Declared:
    """A parameter as its notebook declares it.

    Attributes:
        default: the source text of its default.
        kinds: the types that it takes, by its annotation and its default; None for any.
        elements: likewise of the elements, where it is a list or a tuple.
    """

    default: str
    kinds: frozenset[type] | None
    elements: frozenset[type] | None

    def wrong(self, value: Any) -> str | None:
        """What it takes in place of ``value``, in words; None where the value is of its kind."""
        if not _can_be_handed_on(value):
            return "it takes what JSON can hold: numbers, text, True, False, None, lists and dicts of these"
        right = _among(value, self.kinds)
        if right and isinstance(value, list | tuple):
            right = all(_among(element, self.elements) for element in value)
        if right:
            return None
        takes = _words(self.kinds, ONE)
        if self.elements and self.kinds & {list, tuple}:
            takes += f" of {_words(self.elements, MANY)}"
        is_number = str in self.kinds and isinstance(value, int | float)
        quoted = f"; as text it is '\"{value}\"' in a shell" if is_number else ""
        return f"it takes {takes}, as its default {_short(self.default)}{quoted}"


def declared(notebook: NotebookNode) -> dict[str, Declared]:
    """The parameters that the cells tagged `parameters` assign, by name, in order."""
    return _declared(
        tuple(
            cell.source
            for cell in notebook.cells
            if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
        )
    )


def refused(notebook: NotebookNode, parameters: dict) -> list[str]:
    """What is wrong with values for a notebook's parameters, in words; a name that it lacks is no matter here."""
    known = declared(notebook)
    return [
        f"{name} is {_short(repr(value))}: {wrong}"
        for name, value in parameters.items()
        if name in known and (wrong := known[name].wrong(value))
    ]


@cache
def _declared(sources: tuple[str, ...]) -> dict[str, Declared]:
    found = {}
    for statement in (statement for source in sources for statement in ast.parse(source).body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        annotation = getattr(statement, "annotation", None)
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            pairs = [(target, statement.value)]
            if isinstance(target, ast.Tuple | ast.List) and isinstance(statement.value, ast.Tuple | ast.List):
                pairs = zip(target.elts, statement.value.elts, strict=False)
            found |= {name.id: _one(value, annotation) for name, value in pairs if isinstance(name, ast.Name)}
    return found


def _one(value: ast.expr, annotation: ast.expr | None) -> Declared:
    kind, (kinds, elements) = _kind(value), _annotated(annotation)
    if kinds is None:
        kinds = frozenset({kind}) if kind not in (None, NoneType) else None
        if isinstance(value, ast.List | ast.Tuple) and value.elts:
            inside = {_kind(element) for element in value.elts}
            elements = None if inside & {None, NoneType} else frozenset(inside)
    elif kind is not None:
        kinds |= {kind}
    return Declared(ast.unparse(value), kinds, elements)


def _kind(value: ast.expr) -> type | None:
    """The type of an expression's value, as far as it can be told without running it."""
    match value:
        case ast.Constant():
            return type(value.value) if type(value.value) in ONE else None
        case ast.UnaryOp(op=ast.Not()) | ast.Compare():
            return bool
        case ast.UnaryOp():
            kind = _kind(value.operand)
            return int if kind is bool else kind
        case ast.BinOp():
            left, right = _kind(value.left), _kind(value.right)
            if not {left, right} <= {bool, int, float}:
                return next((kind for kind in (left, right) if kind in (str, list, tuple)), None)
            below_one = isinstance(value.op, ast.Pow) and isinstance(value.right, ast.UnaryOp)
            return float if float in (left, right) or isinstance(value.op, ast.Div) or below_one else int
        case ast.JoinedStr():
            return str
        case ast.List() | ast.ListComp():
            return list
        case ast.Tuple():
            return tuple
        case ast.Dict() | ast.DictComp():
            return dict
        case ast.Set() | ast.SetComp():
            return set
        case ast.Call(func=ast.Name(id=name)) if name in TYPES:
            return TYPES[name]
    return None


def _annotated(annotation: ast.expr | None) -> tuple[frozenset | None, frozenset | None]:
    """The types that an annotation allows, and those of the elements; None where it does not say."""
    match annotation:
        case ast.Constant(value=None):
            return frozenset({NoneType}), None
        case ast.Constant(value=str(text)):
            return _annotated(ast.parse(text, mode="eval").body)
        case ast.Name(id=name) if name in TYPES:
            return frozenset({TYPES[name]}), None
        case ast.BinOp(op=ast.BitOr()):
            return _either([annotation.left, annotation.right])
        case ast.Subscript(value=ast.Name(id="Optional")):
            return _either([annotation.slice, ast.Constant(None)])
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=several)):
            return _either(several)
        case ast.Subscript(value=ast.Name(id="list" | "tuple" as name)):
            inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            inside = [each for each in inside if not (isinstance(each, ast.Constant) and each.value is ...)]
            return frozenset({getattr(builtins, name)}), _either(inside)[0]
    return None, None


def _either(annotations: list[ast.expr]) -> tuple[frozenset | None, frozenset | None]:
    found = [_annotated(each) for each in annotations]
    if any(kinds is None for kinds, _ in found):
        return None, None
    elements = [inside for _, inside in found if inside is not None]
    return frozenset().union(*(kinds for kinds, _ in found)), frozenset().union(*elements) if elements else None


def _among(value, kinds: frozenset | None) -> bool:
    if kinds is None or isinstance(value, bool):
        return kinds is None or bool in kinds
    return isinstance(value, tuple(kinds - {bool})) or isinstance(value, int) and float in kinds


def _words(kinds: frozenset, names: dict[type, str]) -> str:
    return " or ".join(name for kind, name in names.items() if kind in kinds and not (kind is int and float in kinds))


def _can_be_handed_on(value) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _can_be_handed_on(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_can_be_handed_on, value))
    return isinstance(value, HANDED_ON)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
