from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("25m", "0.025"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("256Mi", 256 * 1024**2),
        ("256M", 256_000_000),
        ("1Gi", 1024**3),
        ("1e3", 1000),
        ("1E", 10**18),
        ("1Ei", 1024**6),
        ("129k", 129_000),
        (2, 2),
        (0.5, "0.5"),
    ],
)
def test_quantities_are_read_as_the_api_writes_them(text: str | float, value: int | str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "many", "1mi", "1 Gi", "1KiB", "--1", "1ee3", "ki", "1e99999"])
def test_what_is_no_quantity_is_none(text: str) -> None:
    assert parse_quantity(text) is None


@given(st.integers(0, 10**6), st.sampled_from(["Ki", "Mi", "Gi"]))
def test_binary_suffixes_are_larger_than_decimal_ones(number: int, suffix: str) -> None:
    decimal = {"Ki": "k", "Mi": "M", "Gi": "G"}[suffix]
    binary, plain = parse_quantity(f"{number}{suffix}"), parse_quantity(f"{number}{decimal}")
    assert binary is not None
    assert plain is not None
    assert (binary > plain) == (number > 0)
