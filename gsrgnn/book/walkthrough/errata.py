"""What of the paper's numbers does not follow from the others, a record of `paper.errata` a finding.

`recheck` recomputes a record, `Finding` shows one.
"""

import ast
from collections.abc import Callable
from html import escape

import numpy as np

from gsrgnn.book import paper
from gsrgnn.book.walkthrough.audit import AGREES, CANNOT, ROUNDING, UNREADABLE, recomputed, verdicts
from gsrgnn.book.walkthrough.display import VERDICTS, number
from gsrgnn.book.walkthrough.examples import BACKWARD, EXAMPLE, FORWARD
from gsrgnn.book.walkthrough.layer_steps import algorithm2, backward, forward
from gsrgnn.circuits import table1


def recheck(record: dict) -> dict:
    """What arithmetic gives for a record: its fields ``printed``, ``gives`` or both readings, and ``verdict``.

    A record points to entries of a printed matrix (``matrix``, ``entries``), or states a ``formula`` over printed
    numbers, or holds what two places say of one quantity (``stated``), or names a ``check`` of this module.
    """
    if "matrix" in record:
        line = recomputed()[record["matrix"]]
        at = tuple(np.array(record["entries"]).T)
        found = set(verdicts(line)[at])
        if len(found) != 1:
            raise ValueError(f"record {record['id']} mixes verdicts: {', '.join(sorted(found))}; split it")
        return {
            "printed": line.printed.values[at].tolist(),
            "neighbour": _plain(line.neighbour[at]),
            "own": _plain(line.own[at]),
            "verdict": found.pop(),
        }
    if "formula" in record:
        low, value, high = bounds(record["formula"])
        text = str(record["printed"])
        half = 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-9
        near = abs(value - float(text)) <= half
        could = low <= float(text) + half and high >= float(text) - half
        return {"gives": round(value, 4), "verdict": AGREES if near else ROUNDING if could else CANNOT}
    if "stated" in record:
        first, second = record["stated"]
        return {"verdict": AGREES if first == second else CANNOT}
    return CHECKS[record["check"]]()


def bounds(formula: str) -> tuple[float, float, float]:
    """Least, nominal and greatest value of ``+ - * /`` over positive numbers printed with rounding.

    A number with a point stands for itself to half a unit of its last digit; a whole number is exact.
    """
    tree = ast.parse(formula, mode="eval")
    literals = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = {id(node): ast.get_source_segment(formula, node) for node in literals}

    def value(node: ast.expr) -> tuple[float, float, float]:
        if isinstance(node, ast.Constant):
            digits = len(texts[id(node)].partition(".")[2])
            half = 0.5 * 10.0**-digits if digits else 0.0
            return node.value - half, float(node.value), node.value + half
        (a, m, z), (b, n, y) = value(node.left), value(node.right)
        match node.op:
            case ast.Add():
                return a + b, m + n, z + y
            case ast.Sub():
                return a - y, m - n, z - b
            case ast.Mult():
                return a * b, m * n, z * y
            case ast.Div():
                return a / y, m / n, z / b
        raise ValueError(f"{formula!r}: only + - * / are known")

    return value(tree.body)


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 4) for v in values]


def step_6_has_no_third_value() -> dict:
    """The third value v of step 5 enters rows 0 and 3 of step 6: the v that each asks for."""
    V, M2 = FORWARD["V1"].array.ravel(), FORWARD["M2"].array
    asked = M2[0, 0] - V[0], M2[3, 1] - V[1]
    slack = 2 * (0.005 + 0.005)  # each difference of two printed numbers may be off by one hundredth
    return {
        "gives": f"row 0 asks v = {asked[0]:.2f}, row 3 asks v = {asked[1]:.2f}",
        "verdict": CANNOT if abs(asked[0] - asked[1]) > slack + 1e-9 else AGREES,
    }


def which_group_the_first_block_is_added_to() -> dict:
    """Step 5's values against GS of left or right group plus the first block."""
    X1, X2 = np.hsplit(FORWARD["X"].array, 2)
    M1, V1 = FORWARD["M1"].array, FORWARD["V1"].values.ravel()
    sums = {name: (x + M1).max(axis=1)[[0, 1, 3]] for name, x in (("left", X1), ("right", X2))}
    told = [f"{name} columns give {', '.join(f'{v:.2f}' for v in values)}" for name, values in sums.items()]
    right = np.allclose(sums["right"], V1[[0, 1, 3]])
    return {"gives": "; ".join(told), "verdict": AGREES if right else CANNOT}


def algorithm_2_is_the_gradient() -> dict:
    """Largest entry of Algorithm 2's result minus the exact gradient, for either naming of the groups."""
    A = EXAMPLE["adjacency"].array
    X, G = FORWARD["X"].array.copy(), BACKWARD["G"].array
    X[2, :2] = 0.86, 0.50
    exact = backward(A, forward(A, X, 1), G)["dX"]
    off = {side: abs(algorithm2(A, G, 1, group2=side)["G_next"] - exact).max() for side in ("left", "right")}
    return {
        "gives": "; ".join(f"group 2 {side}: off by up to {d:.2f}" for side, d in off.items()),
        "verdict": AGREES if min(off.values()) < 0.01 else CANNOT,
    }


def group_2_from_the_output() -> dict:
    """Two inputs that differ where GS drops, through Algorithm 1: equal outputs cannot give both back."""
    A, X = EXAMPLE["adjacency"].array, FORWARD["X"].array.copy()
    X[2, :2] = 0.86, 0.50
    changed = X.copy()
    changed[0, 3] = 0.05  # dropped: .45 is the larger of the two
    same = {r: np.array_equal(forward(A, X, 1, r)["Y"], forward(A, changed, 1, r)["Y"]) for r in ("sparse", "dense")}
    told = {r: "one output" if equal else "two outputs" for r, equal in same.items()}
    return {
        "gives": f"two inputs: {told['sparse']} with the sparse residual, {told['dense']} with the dense",
        "verdict": AGREES if same["sparse"] and not same["dense"] else CANNOT,
    }


def signs_of_the_difference() -> dict:
    """Step 3's difference of section 4.4 against both orders of the subtraction."""
    left, right = np.hsplit(BACKWARD["G"].array, 2)
    printed = BACKWARD["M1"]
    block_out = BACKWARD["Z2"].array
    read = printed.provenance == "R"
    fits = {
        name: np.allclose(x[read], printed.values[read])
        for name, x in (("group − block", right - block_out), ("block − group", block_out - right))
    }
    told = (f"{name} {'gives' if fit else 'does not give'} what we read" for name, fit in fits.items())
    return {
        "gives": "; ".join(told),
        "verdict": UNREADABLE if fits["block − group"] and not fits["group − block"] else CANNOT,
    }


def graph_of_table_2() -> dict:
    """The number in Table 1 of the circuit that the text names for Table 2."""
    number = next(row.number for row in table1.rows() if row.name.startswith("356-RISCY"))
    return {
        "gives": f"356-RISCY is graph {number} of Table 1",
        "verdict": AGREES if number == 3 else CANNOT,
    }


def name_of_figure_10() -> dict:
    """The suffix of the circuit 5324 in Table 1."""
    row = next(row for row in table1.rows() if row.name.startswith("5324-"))
    return {
        "gives": f"graph {row.number} of Table 1 is {row.code}",
        "verdict": CANNOT if row.code == "5324-F" else AGREES,
    }


def largest_speedup() -> dict:
    """Whether the largest speedup stated in the text is within what the abstract states."""
    reported = paper.reported()["value"]
    abstract, text = reported["speedup_abstract"], reported["speedup_max"]
    return {"gives": f"above {text:g} is over {abstract:g}", "verdict": AGREES if text >= abstract else CANNOT}


CHECKS: dict[str, Callable[[], dict]] = {
    check.__name__: check
    for check in (
        step_6_has_no_third_value,
        which_group_the_first_block_is_added_to,
        algorithm_2_is_the_gradient,
        group_2_from_the_output,
        signs_of_the_difference,
        graph_of_table_2,
        name_of_figure_10,
        largest_speedup,
    )
}


class Finding:
    """A record of the errata as a card."""

    def __init__(self, record: dict) -> None:
        self.record = record

    def _rows(self) -> list[tuple[str, str]]:
        r = self.record
        rows = [("printed", r.get("printed"))]
        if "matrix" in r:
            same = r["neighbour"] == r["own"]
            rows += [("arithmetic" if same else "neighbour's column", r["neighbour"])]
            rows += [("own column", r["own"])] * (not same)
        elif "formula" in r:
            rows += [("arithmetic", f"{r['formula']} = {r['gives']:.4g}")]
        elif "stated" in r:
            rows += [("printed", " and ".join(r["stated"]))]
        else:
            rows += [("found", r["gives"])]
        return [(name, _numbers(value)) for name, value in rows if value is not None]

    def _repr_html_(self) -> str:
        r = self.record
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self._rows())
        return (
            f'<section class="gsr-finding gsr-verdict-{list(VERDICTS).index(r["verdict"])}" '
            f'aria-label="{escape(r["id"], quote=True)}">'
            f"<p><strong>{VERDICTS[r['verdict']]} {r['verdict']}</strong> "
            f"<span>{escape(r['where'])}</span></p><dl>{rows}</dl><p>{escape(r['explanation'])}</p></section>"
        )

    def __repr__(self) -> str:
        r = self.record
        return "\n".join(
            [
                f"{VERDICTS[r['verdict']]} {r['verdict']}: {r['where']}",
                *(f"  {name}: {value}" for name, value in self._rows()),
                f"  {r['explanation']}",
            ]
        )


def _numbers(value: object) -> str:
    if isinstance(value, list):
        return ", ".join("?" if v is None else number(v, 0 if v == int(v) else 2).strip() for v in value)
    return str(value)
