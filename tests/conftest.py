"""What all tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["tests.testbed.fixtures"]

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what was said into tests/golden, to be reviewed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests on real components go first: they wait much, and one of them alone at the end would keep everybody waiting."""
    items.sort(key=lambda item: item.get_closest_marker("testbed") is None)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name under ``tests/golden``, or write the file with ``--update-golden``."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.is_file(), f"{path} is missing; --update-golden writes it"
        assert text == path.read_bytes().decode()

    return compare
