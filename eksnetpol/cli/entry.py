"""From the process to a command and back: every way a run can end is one line on stderr and one exit code."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click
from click.core import ParameterSource

from eksnetpol.cli.base import Option
from eksnetpol.cli.complain import complain
from eksnetpol.cli.main import cli
from eksnetpol.errors import EksNetpolError

USAGE, BUG, INTERRUPTED, BROKEN_PIPE = 2, 70, 130, 141
COMPLETION = "_EKSNETPOL_COMPLETE"
ISSUES = "https://github.com/eksnetpol/eksnetpol/issues"


def main() -> NoReturn:
    """Run the command line with the process's arguments, and end the process."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # A name that the terminal's encoding cannot show is no reason to fail.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = run(sys.argv[1:], program())
    if code != INTERRUPTED:
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no other name for what the interpreter does at its end
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    # An interrupted process would still wait for threads that wait for an answer; any other would take apart what it has read,
    # object by object, which lasts as long as the checks.
    os._exit(code)


def program() -> str:
    """Return what the person typed to get here."""
    return "kubectl eks-netpol" if sys.argv[0].rpartition(os.sep)[2].startswith("kubectl-") else "eksnetpol"


def run(args: Sequence[str], name: str = "eksnetpol") -> int:
    """Run the command that *args* call and return its exit code."""
    debug = "--debug" in args or os.environ.get("EKSNETPOL_DEBUG", "").lower() in {"1", "true", "yes", "on"}
    if debug:
        _log()
    try:
        code = _call(list(args), name)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        if sys.stderr is not None and sys.stderr.isatty():
            # The terminal has written ^C at the end of whatever was there.
            sys.stderr.write("\n")
        complain("interrupted; nothing was changed")
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the one place where every way to fail is given its words
        if debug:
            import traceback

            traceback.print_exc()
        return _explain(error, debug)
    return code if isinstance(code, int) else 0


def _call(args: list[str], name: str) -> object:
    """Do what *args* ask for, or answer the completion of a shell. `click.Command.main` would give errors ends of its own."""
    instruction = os.environ.get(COMPLETION)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, name, COMPLETION, instruction)
    try:
        with cli.make_context(name, args) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code


def _log() -> None:
    """Show this tool's own log on stderr. Not that of the SDKs: it holds tokens."""
    import logging

    log = logging.getLogger("eksnetpol")
    log.handlers = [logging.StreamHandler()]
    log.setLevel(logging.DEBUG)


def _explain(error: Exception, debug: bool) -> int:
    match error:
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.ctx.get_help(), err=True)
            return USAGE
        case click.ClickException():
            complain(_usage(error))
            return error.exit_code
        case EksNetpolError():
            complain(str(error))
            return error.exit_code
        case OSError() if error.filename is None and error.errno is not None:
            complain(f"stdout: cannot be written: {error.strerror}")
            _close_stdout()
            return USAGE
        case _:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            again = f"please report it with the lines above: {ISSUES}" if debug else "run again with --debug and report it"
            complain(f"this is a bug ({' '.join(what.split())}); {again}")
            return BUG


def _usage(error: click.ClickException) -> str:
    message = error.format_message().rstrip()
    if isinstance(error, click.exceptions.NoSuchOption | click.exceptions.NoSuchCommand) and error.possibilities:
        # click names all that are remotely alike.
        import difflib

        typed = error.option_name if isinstance(error, click.exceptions.NoSuchOption) else error.command_name
        (nearest,) = difflib.get_close_matches(typed, error.possibilities, n=1, cutoff=0)
        message = f"{error.message} Did you mean {nearest!r}?"
    context = getattr(error, "ctx", None)
    param = getattr(error, "param", None)
    if context and isinstance(param, Option) and context.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT:
        message = f"{param.envvar}: {message}"
    if context is None:
        return message
    return f"{message}\n`{context.command_path} --help` shows what there is"


def _close_stdout() -> None:
    # What is still buffered cannot go anywhere; without this the interpreter would try again at exit, and complain.
    devnull = os.open(os.devnull, os.O_WRONLY)
    if sys.stdout is not None:
        os.dup2(devnull, sys.stdout.fileno())
