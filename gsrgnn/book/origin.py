"""Where a page's numbers come from, as its notebook says it to whoever makes the page: records, or the run itself.

A page that reads records calls `hand_over` once. `site.mark` puts what it says, or that everything was computed when
the book was built, at the top of the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from IPython.display import display

from gsrgnn.lab.records import machine_in_words

MIME: str = "application/vnd.gsrgnn.origin+json"


@dataclass(frozen=True)
class Source:
    """Records of one kind from one machine.

    Attributes:
        what: of what they are, as in "3 records of ...".
        machine: in words; "" where there is no record.
        dates: of each record, ISO dates.
        codes: of each record, the hash of the code that made it.
        stale: how many were made by other code than there is now; None where that is not known.
    """

    what: str
    machine: str = ""
    dates: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    stale: int | None = None


def of_files(what: str, found: Iterable[dict]) -> list[Source]:
    """The sources of records that have a ``provenance``; one without a machine where there is none of them."""
    by_machine: dict[str, list[dict]] = {}
    for record in found:
        made = record["provenance"]
        by_machine.setdefault(machine_in_words(made), []).append(made)
    sources = [
        Source(what, machine, tuple(made["date"][:10] for made in each), tuple(made["code hash"] for made in each))
        for machine, each in by_machine.items()
    ]
    return sources or [Source(what)]


def sentences(sources: Iterable[Source]) -> list[str]:
    """What a reader is told of the sources: one sentence a machine, and one for what there is no record of."""
    by_machine: dict[str, list[Source]] = {}
    for source in sources:
        by_machine.setdefault(source.machine, []).append(source)
    missing = by_machine.pop("", [])
    said = [_of_machine(machine, each) for machine, each in by_machine.items()]
    none = [f"There is no record of {source.what} yet." for source in dict.fromkeys(missing)]
    return said + none


def hand_over(sources: Iterable[Source], computed: str = "") -> None:
    """Say to whoever makes the page that its numbers are of these records.

    Args:
        sources: of the records that the page reads.
        computed: what of the page is not of records but computed when it is made, as in "Computed ...: the counts".
    """
    said = {"records": sentences(sources), "computed": computed}
    display({MIME: said, "text/plain": " ".join([*said["records"], computed])}, raw=True)


def _of_machine(machine: str, sources: list[Source]) -> str:
    dates = sorted(date for source in sources for date in source.dates)
    codes = list(dict.fromkeys(code for source in sources for code in source.codes))
    first, *rest = sources
    count = len(first.dates)
    many = [f"{count} record{'s' * (count != 1)} of {first.what}", *(f"{len(s.dates)} of {s.what}" for s in rest)]
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
    by = f"code {codes[0]}" if len(codes) == 1 else f"{len(codes)} versions of the code"
    return f"{', '.join(many)}: measured on {machine}, {when}, by {by}{_stale(sources)}."


def _stale(sources: list[Source]) -> str:
    known = [source for source in sources if source.stale is not None]
    if not known:
        return ""
    stale, every = sum(source.stale for source in known), sum(len(source.dates) for source in known)
    if not stale:
        return ", and nothing that they depend on has changed since"
    which = "it is" if every == 1 else "all are" if stale == every else f"{stale} {'is' if stale == 1 else 'are'}"
    what = "it depends" if stale == 1 else "they depend"
    return f"; {which} stale: what {what} on has changed since, in form or in substance"
