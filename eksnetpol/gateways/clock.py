"""The time of this machine, as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_COUNTING: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's; elsewhere there is only the clock that may stop with the machine."""


class SystemClock:
    """The clock that real runs go by."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back, and go on while the machine sleeps: a Lease does not outlive a closed lid."""
        return time.clock_gettime(_COUNTING) if _COUNTING is not None else time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; not at all where *seconds* is not more than 0."""
        if seconds > 0:
            time.sleep(seconds)
