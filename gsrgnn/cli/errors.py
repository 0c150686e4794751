"""How a command ends that does not reach its end: one line, an exit code, nothing left running."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from typer.core import TyperGroup

from gsrgnn.lab import files


class PlainErrors(TyperGroup):
    """What a user can mend is one line `error: ...` and exit code 1; `--debug` shows where it came from.

    Ctrl-C, and SIGTERM and SIGHUP as well, end what was started, and say no more than that.
    """

    def invoke(self, ctx: typer.Context) -> object:
        try:
            with ending_signals():
                return super().invoke(ctx)
        except (typer.Exit, BrokenPipeError):  # a RuntimeError to Python, no error to us; typer's business
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted: what is finished is kept", err=True)
            raise typer.Exit(130) from None
        except (ValueError, OSError, RuntimeError) as error:
            if ctx.params["debug"]:
                raise
            words = files.plainly(error) if isinstance(error, OSError) else str(error)
            typer.echo(f"error: {words}", err=True)
            raise typer.Exit(1) from None


@contextmanager
def ending_signals() -> Iterator[None]:
    """In the block SIGTERM and SIGHUP raise SystemExit, where nobody has said what else they do."""

    def leave(number, frame):
        raise SystemExit(128 + number)

    ours = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    changed = [number for number in ours if signal.getsignal(number) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
