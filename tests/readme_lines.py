"""The lines of README and of the book's pages for users, made short: fewer layers and epochs, a small circuit."""

import re
from pathlib import Path

COMMANDS = re.compile(r"^\.venv/bin/gsrgnn ((?:train|predict) .*)$", re.MULTILINE)
ROOT = Path(__file__).parents[1]
README, OWN_CODE, PREDICT = ROOT / "README.md", ROOT / "book" / "own_code.md", ROOT / "book" / "predict.md"
SHORTER = {
    "riscv/picorv32": "synthetic/600",
    "crypto/sha256": "synthetic/700",
    "bus/axi-crossbar": "synthetic/800",
    "riscv/ibex": "synthetic/900",
    "num_layers=100": "num_layers=2",
    "epochs=250": "epochs=4",
}


def commands(page: Path = README) -> list[list[str]]:
    """What a page's lines give `gsrgnn train` and `gsrgnn predict`; to train, with a small model for two epochs."""
    shorter = ["--hidden", "8", "--layers", "2", "--k", "2", "--epochs", "2"]
    lines = [line.split() for line in COMMANDS.findall(page.read_text())]
    return [[*line, *(shorter if line[0] == "train" else ())] for line in lines]


def program(page: Path = OWN_CODE) -> str:
    """A page's blocks one after another, as a reader would paste them. Those of `OWN_CODE` write run.safetensors."""
    text = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    for long, short in SHORTER.items():
        assert long in text or page is not OWN_CODE
        text = text.replace(long, short)
    return text
