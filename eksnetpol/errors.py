"""The exceptions a caller may catch.

Two questions are settled here. First, what leaves the house: SDK errors (botocore, kubernetes, urllib3) are translated at
the door, in `gateways/faults.py`, with ``raise ... from``; nothing above a gateway ever names an SDK. Second, who is
addressed: the text of every exception here is meant for the person at the terminal, so it says what was tried, what was
seen and what to do next, and it never needs a traceback.
"""

from __future__ import annotations


class EksNetpolError(Exception):
    """Something this tool can explain. ``exit_code`` is what the command line ends with."""

    exit_code = 3


class UsageError(EksNetpolError):
    """The call or its configuration is wrong; nothing was done."""

    exit_code = 2


class UnreadableInput(UsageError):
    """A file could not be understood. ``place`` is ``path`` or ``path:line``; the message says what was expected."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place


class Denied(EksNetpolError):
    """The caller may not. ``permission`` is what is missing, e.g. ``eks:DescribeAddon`` or ``list nodes``."""

    def __init__(self, message: str, *, permission: str) -> None:
        super().__init__(message)
        self.permission = permission


class Unauthenticated(EksNetpolError):
    """The caller could not prove who it is: no credentials, expired ones, or ones the other side refuses."""


class NotFound(EksNetpolError):
    """The thing asked for does not exist; ``kind`` and ``name`` say which."""

    def __init__(self, message: str, *, kind: str = "", name: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.name = name


class Unreachable(EksNetpolError):
    """The other side did not answer: no route, a time-out, a TLS mismatch, a proxy that refuses."""


class TransientError(EksNetpolError):
    """The same call may succeed later: throttling, a 5xx answer, a list page that expired."""


class GuardRefused(EksNetpolError):
    """A guard said no, e.g. the kubeconfig belongs to another cluster than the one named."""

    exit_code = 6


class Bug(EksNetpolError):
    """Something happened that the code takes for impossible."""

    exit_code = 70
