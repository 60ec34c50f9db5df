"""The time of this machine, as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """The clock that real runs go by."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; not at all where *seconds* is not more than 0."""
        if seconds > 0:
            time.sleep(seconds)
