"""The real command line in a process of its own, again and again, without the second that importing takes each time.

Every request forks a process that has imported everything and done nothing yet; there it is ``eksnetpol ARGS`` and nothing else.
What is changed of it: the pace at which it asks AWS and how long credentials may be refused; for a request how long its Lease is
good for, how large its files may be, whose process it is, and that it ends by SIGKILL at a chosen write to its journal.
"""

from __future__ import annotations

import encodings
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACE = 0.3
"""Seconds between two questions to AWS here; the endpoint settles in under a second."""

SIGNING_IN = 2.0
"""Seconds that somebody is given to sign in again; nobody does."""


def main() -> None:
    """Serve requests, a JSON line each: say the process's id when it begins and its exit code when it ends."""
    import eksnetpol
    from eksnetpol.execution import waiting

    # Before others take it from there.
    waiting.PACE = waiting._FIRST = PACE  # noqa: SLF001 - how soon it looks again
    waiting.SIGNING_IN = SIGNING_IN
    for module in pkgutil.walk_packages(eksnetpol.__path__, "eksnetpol."):
        if module.name.startswith(("eksnetpol.gateways", "eksnetpol.cli", "eksnetpol.operations", "eksnetpol.execution")):
            importlib.import_module(module.name)
    for module in pkgutil.iter_modules(encodings.__path__, "encodings."):
        if not module.name.endswith(("mbcs", "oem", "cp65001")):
            importlib.import_module(module.name)
    for name in ("boto3", "kubernetes.client", "kubernetes.config", "eksnetpol.checks"):
        importlib.import_module(name)
    from eksnetpol.facts.declare import catalog

    catalog()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_the_tool(request)
        _say({"pid": child})
        _, status = os.waitpid(child, 0)
        _say({"code": os.waitstatus_to_exitcode(status)})


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _be_the_tool(request: Any) -> None:
    os.environ.clear()
    os.environ.update(request["environment"])
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(Path(request["folder"]) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if request["dies"] is not None:
        _die_at_write(int(request["dies"]["write"]), str(request["dies"]["how"]))
    if request["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"], request["limit"]))
    if request["user"]:
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])
    from eksnetpol.execution import lease

    if request["lease"]:
        lease.DURATION = request["lease"]
        lease._TURN = 0.5  # noqa: SLF001 - no longer than a part of it
    sys.argv = ["eksnetpol", *request["args"]]
    from eksnetpol.cli.entry import main as enter

    enter()


def _die_at_write(number: int, how: str) -> None:
    """End this process at its *number*th write to its run, counted from 1: before it, after it, or with half a line written."""
    from eksnetpol.gateways import run_folder
    from eksnetpol.gateways.run_folder import RunFolder

    counted = 0

    def dying(do: Callable[..., Any]) -> Callable[..., Any]:
        def does(*args: Any, **named: Any) -> Any:
            nonlocal counted
            counted += 1
            if counted == number and how == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if counted == number and how == "torn":
                run_folder._write_all = half  # noqa: SLF001 - there the bytes go out
            done = do(*args, **named)
            if counted == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return does

    def half(handle: int, data: bytes) -> None:
        os.write(handle, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    RunFolder.append = dying(RunFolder.append)  # type: ignore[method-assign]
    RunFolder.save = dying(RunFolder.save)  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
