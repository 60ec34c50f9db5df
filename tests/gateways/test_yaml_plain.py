"""What is read line by line is what libyaml's events give; and what is not plain is left to those."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.gateways import yaml_plain, yaml_reader
from tests.benchmarks.manifest_tree import files

DATA = sorted((Path(__file__).parent.parent).rglob("*.yaml"))

LINES = [
    *("---", "--- ", "...", "- a", "-", "- ", "- - b", "a: b", "a:", "b: c: d", 'a: "x"', 'a: "x" # c', "a: x # c", "a: x#c"),
    *("a: 'it''s'", "a: |", "a: >", "a: >-", "a: |-", "text", "more text", "a: [b, c]", "a: [b,c]", "a: []", "a: {}"),
    *("a: {b: c}", "a: {b:c}", 'a: {"b": c}', "a: {b: c, b: d}", "a: [b c]", "a: -1", "a: - b"),
    *("a: *x", "a: &x y", "a: !!str 1"),
    *("? a", "a: 0777", "a: yes", "yes: a", "on:", "a: 1e3", "a: .5", "a: ~", "a: null", '"a": b', "'a': b", '"a" : b', "a : b"),
    *("a: b:", "a: b:c", "- a:", "-   a: b", "c: d", "- e", "a: http://x/y#z", "# c", "", "   ", "items:"),
    *("items: [a]", "- b: c"),
    *("a: x, y", "a: =", "=: a", "a: <", "<<: b", "a: @x", "a: `x", "a: %x", "%x", "a: ,x", "a: (x)", "a: $x", "a: +x", "a: -"),
    *("a: --- x", 'a: "b', "a: 'b", "a: b 'c'", 'a: "b" c', "a: |2", "a: |+", ".a: b", "1: b", "a: [a, b", "a: x  ", "a:  x"),
    *("- |", "- >-", '- "x"', "- [a]", "- {a: b}", "a: .inf", "a: 1:2", "- a: |", "d: # c", "a: \\x", 'a: "\\x41"', "a: x: # c"),
    *("a: 12345678901234567890", "- ~", "- yes", "a: ''", "a: 'b' #", "a: [b, 'c']", "a: [1, yes, .5]", "a: é"),
    *("a:\tb", "a.b/c-d: e"),
]
lines = st.builds(lambda indent, line: " " * indent + line, st.sampled_from([0, 0, 0, 2, 2, 4, 1, 3, 6]), st.sampled_from(LINES))
texts = st.builds(lambda some, end: "\n".join(some) + end, st.lists(lines, max_size=9), st.sampled_from(["\n", "\n", ""]))


def agrees(data: bytes) -> bool:
    """Check that a plain text is read as by libyaml; return whether it is plain."""
    found = yaml_plain.documents(data)
    if found is None:
        return False
    events = yaml_reader._documents(data, "file")  # noqa: SLF001 - the reader for what is not plain
    # As JSON, so that 1 and true are two things and the order of keys counts.
    assert json.dumps([list(document) for document in found]) == json.dumps([list(document) for document in events])
    return True


@given(texts)
def test_any_lines_are_read_as_their_events(text: str) -> None:
    agrees(text.encode())


@given(st.sampled_from(DATA), st.data())
def test_real_files_with_a_fault_are_read_as_their_events(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes().split(b"\n")
    start = data.draw(st.integers(0, max(0, len(whole) - 1)))
    some = whole[start : start + data.draw(st.integers(1, 30))]
    at = data.draw(st.integers(0, len(some) - 1))
    where = data.draw(st.integers(0, len(some[at])))
    what = data.draw(st.sampled_from([b" ", b"  ", b"-", b":", b"#", b'"', b"'", b"[", b"}", b",", b"|", b">", b"x", b"\n", b""]))
    some[at] = some[at][:where] + what + some[at][where + data.draw(st.integers(0, 2)) :]
    agrees(b"\n".join(some))


def test_the_files_of_the_tests_are_read_as_their_events() -> None:
    plain = [agrees(path.read_bytes()) for path in DATA]
    assert sum(plain) > 80


def test_ordinary_manifests_are_plain() -> None:
    assert all(agrees(text.encode()) for _, text in files(5))


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: &x b\nc: *x\n",
        "<<: {a: b}\n",
        "a: !!str 1\n",
        "a: b\n  c\n",
        "a:\n   b: 1\n  c: 2\n",
        "a: .inf\n",
        "a: \u00e9\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_other_reader(text: str) -> None:
    assert yaml_plain.documents(text.encode()) is None
