"""A record held against an earlier one of the same bench: what became slower or larger, beyond the spread of rounds."""

from collections.abc import Iterator
from dataclasses import dataclass

from gsrgnn.lab.bench.contenders import REFERENCE

LARGER: float = 0.05  # of a step's memory: what two measurements of it may differ by
SAME: tuple[str, ...] = ("circuit", "hidden", "layers", "device")
MACHINE: tuple[str, ...] = ("CPU", "cores", "GPU")


@dataclass(frozen=True)
class Change:
    """A number of one row that differs by more than the measurement does.

    Attributes:
        row: name of the contender.
        what: "step", "kept" or "memory of L layers".
        then, now: seconds, or times the reference's seconds; or bytes.
        unit: "s", "times the reference" or "bytes".
    """

    row: str
    what: str
    then: float
    now: float
    unit: str

    @property
    def worse(self) -> bool:
        """Whether it takes more than it did."""
        return self.now > self.then

    @property
    def in_words(self) -> str:
        word = ("slower" if self.worse else "faster") if self.what == "step" else "larger" if self.worse else "smaller"
        scale, unit = (1e6, "MB") if self.unit == "bytes" else (1, self.unit)
        values = f"{self.then / scale:,.3g} {unit}, now {self.now / scale:,.3g}"
        return f"{self.row}, {self.what}: {word} by {abs(self.now / self.then - 1):.0%} ({values})"


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns.

    Attributes:
        changes: of all rows that both records measured, in the order of the later record.
        reference: the row by whose seconds those of the others are divided; None where seconds are compared.
        compared: names of the rows.
        left_out: rows that only one of the two measured, in words.
    """

    changes: list[Change]
    reference: str | None
    compared: list[str]
    left_out: list[str]

    def report(self, then: dict) -> str:
        """In text: against which record, what became worse, what better, what could not be compared."""
        made = then["provenance"]
        how = f"in times of {self.reference}" if self.reference else "in seconds"
        worse = [change.in_words for change in self.changes if change.worse]
        better = [change.in_words for change in self.changes if not change.worse]
        lines = [
            f"against the record of {made['date']} (code {made['code hash']}), {how}, {len(self.compared)} rows:",
            *(f"  {words}" for words in worse or ["nothing is slower or larger beyond the spread of the rounds"]),
            *(f"  {words}" for words in better),
            *(f"  not compared: {words}" for words in self.left_out),
        ]
        return "\n".join(lines)


def compare(then: dict, now: dict, by_ratios: bool = False) -> Comparison:
    """How the record ``now`` differs from the earlier one ``then``, of `record.read`.

    A step is slower where its fastest round now is slower than its slowest round then, and faster the other way round.
    On another machine, or ``by_ratios``, every round is divided by those of a reference row, RevGNN on an
    ``edge_index`` where both have it, else the first peer that both have, and the interval is the widest that the
    rounds of both allow. Memory is compared in bytes: what a forward pass keeps, which is counted, and what a step adds
    to the process, which may differ by `LARGER`.

    Raises ValueError, saying what differs, for records of another circuit, width, depth or device, and where a
    reference is needed and the two share none.
    """
    check_comparable(then, now["parameters"])
    if then["graph"]["edges"] != now["graph"]["edges"]:
        raise ValueError(
            f"{now['parameters']['circuit']} has {now['graph']['edges']:,} edges and had {then['graph']['edges']:,} in "
            "the record: they are two circuits"
        )
    before, after = (
        {entry["name"]: entry for entry in record["rows"] if entry["state"] == "measured"} for record in (then, now)
    )
    names = [name for name in after if name in before]
    left_out = [
        f"{name}, which the {which} record lacks"
        for which, one, other in (("earlier", after, before), ("later", before, after))
        for name in one
        if name not in other
    ]
    reference = None
    if by_ratios or then["threads"] != now["threads"] or _machine(then) != _machine(now):
        peers = [name for name in names if not after[name]["ours"]]
        if not peers:
            raise ValueError(
                "the records are to be compared by ratios and share no row that is not GSR-GNN: run a peer in both, "
                f'as --only "{REFERENCE},GSR*nets"'
            )
        reference = REFERENCE if REFERENCE in peers else peers[0]
    changes = [change for name in names for change in _changes(name, before, after, reference)]
    return Comparison(changes, reference, names, left_out)


def check_comparable(then: dict, parameters: dict) -> None:
    """Raises ValueError where a bench of these parameters cannot be held against the record, and says which can."""
    theirs = then["parameters"]
    differ = [
        f"{name} {parameters[name]} (record: {theirs[name]})" for name in SAME if parameters[name] != theirs[name]
    ]
    if not then["complete"]:
        raise ValueError("the record to compare with is incomplete: finish it, or name another")
    if differ:
        options = " ".join(f"--{name} {theirs[name]}" for name in SAME)
        raise ValueError(f"a record of another bench: {', '.join(differ)}; its own is gsrgnn bench {options}")


def _machine(record):
    return [record["provenance"].get(name) for name in MACHINE]


def _changes(name: str, before: dict, after: dict, reference: str | None) -> Iterator[Change]:
    (was, then, had), (low, now, high) = (_step(rows, name, reference) for rows in (before, after))
    if name != reference and (low > had or high < was):
        yield Change(name, "step", then, now, "times the reference" if reference else "s")
    kept = before[name]["kept_bytes"], after[name]["kept_bytes"]
    if kept[0] != kept[1] and all(kept):
        yield Change(name, "kept", *kept, "bytes")
    for depth in after[name]["memory"]:
        sizes = [_growth(rows[name]["memory"].get(depth, {})) for rows in (before, after)]
        if all(sizes) and abs(sizes[1] / sizes[0] - 1) > LARGER:
            yield Change(name, f"memory of {depth} layers", *sizes, "bytes")


def _step(rows: dict, name: str, reference: str | None) -> tuple[float, float, float]:
    """The least, median and greatest of a row's step, in seconds or in those of the reference."""
    times, median = rows[name]["times"]["step"], rows[name]["seconds"]["step"]
    if reference is None:
        return min(times), median, max(times)
    theirs, middle = rows[reference]["times"]["step"], rows[reference]["seconds"]["step"]
    return min(times) / max(theirs), median / middle, max(times) / min(theirs)


def _growth(memory: dict) -> int:
    return memory["peak"] - memory["before"] if "peak" in memory else 0
