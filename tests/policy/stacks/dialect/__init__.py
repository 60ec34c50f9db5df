"""A dialect for tests of what stands around readers: the standard kinds, and one policy that is refused, one not understood."""

from __future__ import annotations

from eksnetpol.engines.engine import Engine

ENGINE = Engine("odd", "Odd", ("odd.example",), lambda _: None)
