"""A folded command is still the same command to a shell."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.reporting.shell import fold

WORDS = st.text(st.sampled_from("abz-=/.:,{}[]0"), min_size=1, max_size=30)
SINGLE = st.text(st.sampled_from('ab "\\${}:#;|'), max_size=40).map(lambda s: f"'{s}'")
DOUBLE = st.text(st.sampled_from("ab '{}:#;|"), max_size=40).map(lambda s: f'"{s}"')
ESCAPED = st.sampled_from(["\\'", '\\"', "\\ ", "a\\\\b", '"a\\"b"', '"\\\\"'])
ONE_WORD = st.lists(WORDS | SINGLE | DOUBLE | ESCAPED, min_size=1, max_size=3).map("".join)


def words(command: str) -> list[bytes]:
    """What a POSIX shell makes of the words of *command*."""
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True)
    return done.stdout.split(b"\0")


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE_WORD, min_size=1, max_size=8).map(" ".join), st.integers(8, 60), st.integers(0, 12))
def test_a_folded_command_has_the_same_words_and_fits(command: str, width: int, indent: int) -> None:
    lines = fold(command, width, indent)
    assert max(map(len, lines)) <= width
    assert words("\n".join(lines)) == words(command)


def test_a_command_that_fits_stays_as_it_is() -> None:
    assert fold("kubectl get pods", 80) == ("kubectl get pods",)
    assert fold("kubectl get pods", 80, 4) == ("    kubectl get pods",)
    assert fold("one\ntwo", 80, 2) == ("  one", "  two")


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("kubectl get pods --all-namespaces", ("kubectl get pods \\", "  --all-namespaces")),
        ("echo 'a b c d e f g h i j k l m'", ("echo \\", "  'a b c d e f g h'\\", "' i j k l m'")),
        ("averyveryverylongword --x", ("averyveryverylongwo\\", "rd \\", "  --x")),
    ],
)
def test_where_a_command_is_cut(command: str, lines: tuple[str, ...]) -> None:
    assert fold(command, 20) == lines
