"""JSON patches, by the examples of RFC 6902's appendix and where the API server's library is particular."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.fields.patch import BadPatch, TestFailed, patched, pointer

# ruff: noqa: E501 - one example, one line
DONE: list[tuple[str, Any, list[dict[str, Any]], Any]] = [
    ("an object gets a member", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ("a list gets an entry", {"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ("a list grows at its end", {"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ("a member goes", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ("an entry goes", {"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ("a value is replaced", {"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    ("replacing adds what is not there", {}, [{"op": "replace", "path": "/baz", "value": 1}], {"baz": 1}),
    ("a value moves", {"foo": {"bar": 1}, "qux": {}}, [{"op": "move", "from": "/foo/bar", "path": "/qux/thud"}], {"foo": {}, "qux": {"thud": 1}}),
    ("an entry moves", {"foo": ["a", "b", "c"]}, [{"op": "move", "from": "/foo/0", "path": "/foo/2"}], {"foo": ["b", "c", "a"]}),
    ("a value is copied", {"a": {"b": [1]}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": [1]}, "c": {"b": [1]}}),
    ("a test holds", {"baz": "qux", "foo": ["a", 2]}, [{"op": "test", "path": "/foo/1", "value": 2}], {"baz": "qux", "foo": ["a", 2]}),
    ("keys are escaped", {"a/b": 1, "m~n": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}], {}),
    ("~01 is ~1 and not a slash", {"~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"~1": 10}),
    ("what is not there is null to a test", {}, [{"op": "test", "path": "/a", "value": None}], {}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "operations", "after"), [case[1:] for case in DONE], ids=[case[0] for case in DONE])
def test_patches(before: Any, operations: list[dict[str, Any]], after: Any) -> None:
    assert patched(before, operations) == after


@pytest.mark.parametrize("value", ["other", True, 1.5, None, ["a"]])
def test_a_test_that_fails_says_where(value: Any) -> None:
    with pytest.raises(TestFailed, match=r"testing value /a/0 failed") as raised:
        patched({"a": [1]}, [{"op": "test", "path": "/a/0", "value": value}])
    assert raised.value.path == "/a/0"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"},
        {"op": "remove", "path": "/list/2"},
        {"op": "add", "path": "/list/3", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/name/y", "value": 1},
        {"op": "replace", "path": "/list/2", "value": 1},
        {"op": "replace", "path": "/name/y", "value": 1},
        {"op": "move", "from": "/map", "path": "/map/k"},
        {"op": "copy", "from": "/x", "path": "/y"},
        {"op": "add", "path": "list", "value": 1},
        {"op": "add", "path": "/list/0"},
        {"op": "add", "value": 1},
        {"op": "merge", "path": "/list"},
        {"op": "replace", "path": "", "value": 1},
    ],
)
def test_what_cannot_be_done_changes_nothing(operation: dict[str, Any]) -> None:
    before = {"list": [1, 2], "map": {"k": 1}, "name": "n"}
    with pytest.raises(BadPatch):
        patched(before, [{"op": "add", "path": "/list/-", "value": 3}, {"op": "remove", "path": "/list/2"}, operation])
    assert before == {"list": [1, 2], "map": {"k": 1}, "name": "n"}


@given(st.dictionaries(st.text(max_size=4), st.integers(), min_size=1))
def test_every_key_has_a_pointer(before: dict[str, int]) -> None:
    gone = [{"op": "remove", "path": pointer(key)} for key in before]
    assert patched({"all": before}, [{**one, "path": "/all" + one["path"]} for one in gone]) == {"all": {}}
