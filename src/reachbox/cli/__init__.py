"""The command line: `reachbox COMMAND`. Results go to standard output, progress and errors to standard error."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from reachbox import __version__
from reachbox.cli.answer import Answer, ExitCode
from reachbox.cli.bound import bound
from reachbox.cli.certify import certify
from reachbox.cli.doctor import doctor
from reachbox.cli.evaluate import evaluate
from reachbox.cli.flattened import flattened
from reachbox.cli.landscape import landscape
from reachbox.cli.picture import picture
from reachbox.cli.reproduce import reproduce
from reachbox.cli.sensitivity import sensitivity
from reachbox.cli.study import study
from reachbox.cli.tradeoff import tradeoff
from reachbox.cli.train import train
from reachbox.cli.verify import verify
from reachbox.errors import ReachboxError

app = typer.Typer(
    name="reachbox",
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (bound, sensitivity, certify, verify, train, evaluate, picture, study, tradeoff, reproduce, doctor):
    app.command()(flattened(command))
app.add_typer(landscape, name="landscape")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"reachbox {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def reachbox(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell on standard error what is being done, step by step.")
    ] = False,
) -> None:
    """How far a neural network's output can move when its input does.

    Exit codes: 0 done; 1 the property does not hold; 2 misuse or a bad file; 3 gave up, with the best proven bounds.
    """
    from reachbox.cli.progress import QUIET

    QUIET.set(quiet)
    if verbose:
        logging.basicConfig(format="%(asctime)s  %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("reachbox").setLevel(logging.INFO if verbose else logging.WARNING)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command in `arguments`, those of the process by default, and leaves with its exit code.

    A user's own modules, such as that of `--network my_network:build`, are looked for in the present folder too.
    """
    if "" not in sys.path:
        sys.path.append("")
    if arguments is None:
        atexit.register(gc.freeze)  # the interpreter's last collection would walk all of torch for a second
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.BROKEN_PIPE
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        answer = app(args=arguments, prog_name="reachbox", standalone_mode=False)
        return answer.show() if isinstance(answer, Answer) else int(answer or 0)
    except (ReachboxError, typer.TyperException) as error:
        return _complain(error.format_message() if isinstance(error, typer.TyperException) else str(error))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception:
        traceback.print_exc()
        sys.stderr.write("reachbox: this is a fault of reachbox; please report it with the lines above\n")
        return ExitCode.CRASHED


def _complain(message: str) -> int:
    """One line on standard error."""
    sys.stderr.write(f"reachbox: {' '.join(message.split())}\n")
    return ExitCode.MISUSE
