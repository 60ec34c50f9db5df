"""Threads take short turns while a cluster is looked at, and only then."""

from __future__ import annotations

import sys

import pytest

from eksnetpol.gateways.collect import SHORT_TURN, short_turns


def test_turns_are_short_within_and_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    with short_turns():
        assert sys.getswitchinterval() == pytest.approx(SHORT_TURN)
    assert sys.getswitchinterval() == pytest.approx(before)


def test_an_error_restores_them_too() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(KeyError), short_turns():
        raise KeyError
    assert sys.getswitchinterval() == pytest.approx(before)
