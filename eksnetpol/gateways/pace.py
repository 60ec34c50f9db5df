"""Not too much at once: a token bucket per API, and the one clock that waiting goes by."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """Lets through *burst* calls at once and *rate* calls per second after that; callers wait their turn."""

    rate: float
    burst: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _left: float = field(init=False)
    _seen: float = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left = self.burst
        self._seen = self.clock()

    def take(self) -> None:
        """Wait until one more call may be made."""
        with self._lock:
            now = self.clock()
            self._left = min(self.burst, self._left + (now - self._seen) * self.rate) - 1
            self._seen = now
            # A debt is paid by waiting outside the lock; whoever comes later finds a larger one and waits longer.
            wait = -self._left / self.rate if self._left < 0 else 0.0
        if wait:
            self.sleep(wait)
