"""The programme for a GPU that is had for minutes at a time: what is run, by worth, and how long it takes.

It is data: CONTRIBUTING has it as a table, `gsrgnn programme` prints it with the windows that it falls into.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gsrgnn.lab.experiments import points
from gsrgnn.lab.sweep import Places, results_folder, survey, tasks
from gsrgnn.lab.window import Task

PROFILE = "gpu"
TESTS = 230.0  # seconds of `pytest -m gpu`, estimated: a third compiles, a third is compute-sanitizer
KERNELS = 80.0  # seconds of the kernel table, estimated: 2 a circuit, width and k, the rest to start and compile


@dataclass(frozen=True)
class Part:
    """One command of the programme.

    Attributes:
        command: as it is called in a checkout, without the minutes.
        shows: what for.
        tasks: what of it is not finished yet.
    """

    command: str
    shows: str
    tasks: tuple[Task, ...]

    @property
    def seconds(self) -> float:
        """That its tasks are expected to take."""
        return sum(task.seconds for task in self.tasks)


def parts(root: Path, folder: Path | None = None) -> list[Part]:
    """The programme, the most telling part first.

    Args:
        root: a checkout.
        folder: where the records lie: what is finished is in no part, and its time says what the rest will take.
    """
    statuses = survey(points(PROFILE), Places(root, folder or results_folder(PROFILE, root)))

    def swept(*experiments):
        return tuple(task for task in tasks(statuses) if task.words.split()[0] in experiments)

    timed, measured = ("speed",), ("memory", "profile")
    others = sorted({status.point.experiment for status in statuses} - {*timed, *measured})
    return [
        Part(
            "python -m pytest -m gpu",
            "every kernel and the model agree with the CPU",
            (Task("pytest -m gpu (estimated)", TESTS),),
        ),
        Part(_sweep(timed), "Table 2, Figure 9: a step of 100 layers, width 384", swept(*timed)),
        Part(_sweep(measured), "Figures 3 and 10: active and reserved memory by depth", swept(*measured)),
        Part(
            "gsrgnn bench --kernels",
            "each kernel beside its bound and its peers",
            (Task("the kernel table (estimated)", KERNELS),),
        ),
        Part(f"gsrgnn sweep {PROFILE}", "what the paper's own configuration learns; then the rest", swept(*others)),
    ]


def _sweep(experiments: Iterable[str]) -> str:
    return " ".join([f"gsrgnn sweep {PROFILE}", *(f"--only {name}" for name in experiments)])
