"""`python -m gsrgnn`: the command where its script is not on the PATH."""

from gsrgnn.cli import app

app(prog_name="python -m gsrgnn")
