"""Commands are run in a quiet place, as in ``tests/cli``."""

from __future__ import annotations

from tests.cli.conftest import cli, quiet_place

__all__ = ["cli", "quiet_place"]
