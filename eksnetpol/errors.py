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


class Refused(GuardRefused):
    """A change was refused before anything was done: a foreign owner, a stale plan, a blocker, another run under way."""


class Exists(EksNetpolError):
    """There is one of that name already."""

    exit_code = 4


class Conflict(EksNetpolError):
    """The object changed under us, or fields of it belong to somebody else: ``fields`` are their paths with the managers.

    Without ``fields`` the same change, made to what is there now, may succeed.
    """

    exit_code = 4

    def __init__(self, message: str, *, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class Busy(EksNetpolError):
    """Something else is under way, e.g. another update of the add-on; the same call may succeed when it has ended."""

    exit_code = 4


class Rejected(EksNetpolError):
    """The API understood the change and will not make it: a schema, an admission policy. Trying again helps nobody."""

    exit_code = 4


class StepFailed(EksNetpolError):
    """A step of a plan will not become true. ``step`` is its id; the message says what was seen last and how to go on.

    ``why`` is the message without how to go on.
    """

    exit_code = 4

    def __init__(self, message: str, *, step: str = "", why: str = "") -> None:
        super().__init__(message)
        self.step = step
        self.why = why or message


class RunOver(StepFailed):
    """What a run has done was undone so that it cannot be gone on with: only a new plan, or going back, leads on."""


class TimedOut(StepFailed):
    """A step was not true in time. The state is known and the run can be resumed."""

    exit_code = 5


class DoorClosed(TimedOut):
    """The next step goes through a one-way door that nobody has confirmed. ``door`` is its name; the run can be resumed."""

    def __init__(self, message: str, *, step: str, door: str) -> None:
        super().__init__(message, step=step)
        self.door = door


class JournalError(EksNetpolError):
    """The journal of a run cannot be written or read; nothing is changed without one."""

    exit_code = 2


class Bug(EksNetpolError):
    """Something happened that the code takes for impossible."""

    exit_code = 70
