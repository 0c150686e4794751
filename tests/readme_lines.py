"""README's lines, made short: fewer layers and epochs, a small circuit."""

import re
from pathlib import Path

COMMANDS = re.compile(r"^\.venv/bin/gsrgnn ((?:train|predict) .*)$", re.MULTILINE)
README = Path(__file__).parents[1] / "README.md"
SHORTER = {
    "riscv/picorv32": "synthetic/600",
    "crypto/sha256": "synthetic/700",
    "bus/axi-crossbar": "synthetic/800",
    "riscv/ibex": "synthetic/900",
    "num_layers=100": "num_layers=2",
    "epochs=250": "epochs=4",
}


def commands() -> list[list[str]]:
    """What its lines give `gsrgnn train` and `gsrgnn predict`; to train, with a small model for two epochs."""
    shorter = ["--hidden", "8", "--layers", "2", "--k", "2", "--epochs", "2"]
    lines = [line.split() for line in COMMANDS.findall(README.read_text())]
    return [[*line, *(shorter if line[0] == "train" else ())] for line in lines]


def program() -> str:
    """All blocks one after another, as a reader would paste them. Writes run.safetensors."""
    text = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    for long, short in SHORTER.items():
        assert long in text
        text = text.replace(long, short)
    return text
