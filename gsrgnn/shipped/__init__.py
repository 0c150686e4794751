"""The model that comes with the package: `gsrgnn predict shipped CIRCUIT` takes it.

Beside this file lie the model (`gsrgnn.model_file`) and its card, `congestion.md`: on which circuits it was trained,
how good it is on others, what it is not for, and the command that makes it again.
"""

from pathlib import Path

NAME = "shipped"
MODEL = Path(__file__).with_name("congestion.safetensors")
