"""Which circuits train a model, which one chooses its epoch, and which test it: families of designs apart."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

_CIRCUITNET = re.compile(r"circuitnet/[0-9]+-(?P<core>.+?)(-[ab])?-[1-3]-c[0-9]+-.*")


@dataclass(frozen=True)
class Fold:
    """One family held out.

    Attributes:
        held: its name.
        train, validate, test: names of circuits, no two of one name; ``test`` is all of the family. ``validate`` is
            empty where one circuit alone is left to train on: its own validation cells choose the epoch then.
    """

    held: str
    train: tuple[str, ...]
    validate: tuple[str, ...]
    test: tuple[str, ...]


def family(name: str) -> str:
    """What a circuit's name says of its design: "riscv" of "riscv/ibex", the core of a placement of CircuitNet's.

    The official split of CircuitNet-N28 holds out "zero-riscy" and trains on "RISCY" and "RISCY-FPU". A design of R2G
    and a synthetic circuit are families of their own.
    """
    if placement := _CIRCUITNET.fullmatch(name):
        return placement["core"]
    kind, _, rest = name.partition("/")
    return rest if kind in ("r2g", "synthetic") else kind


def matching(patterns: Iterable[str], there: Iterable[str]) -> list[str]:
    """The names, each once, that ``patterns`` mean: names in full, and "circuitnet/*" and the like of what is there.

    Raises ValueError for a pattern that fits nothing.
    """
    there, found = list(there), {}
    for pattern in patterns:
        fits = [name for name in there if fnmatchcase(name, pattern)] if re.search(r"[*?[]", pattern) else [pattern]
        if not fits:
            raise ValueError(f"no circuit fits {pattern!r}: there are {', '.join(there[:10])}")
        found |= dict.fromkeys(fits)
    return list(found)


def folds(names: Iterable[str], held: Collection[str] = (), test_only: Collection[str] = ()) -> list[Fold]:
    """A `Fold` for each family of ``names``, or for each of the families ``held``.

    Validation is by the first circuit, in the order of names, of the family that has the fewest among those left to
    train on; the family that is held out plays no part in it.

    Args:
        names: circuits.
        held: families to hold out, all where it is empty.
        test_only: circuits that no model is trained on.

    Raises ValueError for a family that there is not, for fewer than two, and where nothing is left to train on.
    """
    from gsrgnn.circuits.splits import leave_one_out  # here, as circuits take a second to import

    parts = leave_one_out(names, family)
    if unknown := [name for name in held if name not in parts]:
        raise ValueError(f"no family {', '.join(unknown)} among these circuits: there are {', '.join(parts)}")
    found = []
    for name in held or parts:
        others, own = parts[name]
        left = sorted(set(others) - set(test_only))
        if not left:
            raise ValueError(f"nothing is left to train on without {name}: name circuits of another family")
        families = [family(other) for other in left]
        first = min(left, key=lambda other: families.count(family(other)))
        validate = (first,) if len(left) > 1 else ()
        found.append(Fold(name, tuple(n for n in left if n not in validate), validate, tuple(own)))
    return found
