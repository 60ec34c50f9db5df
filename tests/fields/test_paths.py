"""Paths: what FieldsV1 holds, and what the API server calls it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.fields import paths

names = st.text("abcXYZ-_", min_size=1, max_size=6)
scalars = st.one_of(st.text(max_size=6), st.integers(-9, 99999), st.booleans())
elements = st.one_of(
    names.map(paths.field),
    st.dictionaries(names, scalars, min_size=1, max_size=2).map(paths.key),
    scalars.map(paths.value),
    st.integers(0, 9).map(paths.index),
)
some_paths = st.lists(elements, min_size=1, max_size=5).map(tuple)


@given(st.frozensets(some_paths, max_size=12))
def test_a_set_of_paths_is_what_its_fieldsv1_holds(found: frozenset[paths.Path]) -> None:
    assert paths.members(paths.as_v1(found)) == found


@given(st.frozensets(some_paths, max_size=12))
def test_leaves_are_what_nothing_is_below(found: frozenset[paths.Path]) -> None:
    inner = {path for path in found if any(other != path and other[: len(path)] == path for other in found)}
    assert paths.parse(paths.as_v1(found)) == found - inner


@given(some_paths)
def test_what_is_said_is_read_again(path: paths.Path) -> None:
    assert paths.read(paths.text(path)) == path


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (
            '.spec.containers[name="aws-node"].env[name="X"].value',
            ("f:spec", "f:containers", 'k:{"name":"aws-node"}', "f:env", 'k:{"name":"X"}', "f:value"),
        ),
        ('.ports[containerPort=80,protocol="TCP"]', ("f:ports", 'k:{"containerPort":80,"protocol":"TCP"}')),
        (
            '.metadata.finalizers[="networking.k8s.aws/resources"]',
            ("f:metadata", "f:finalizers", 'v:"networking.k8s.aws/resources"'),
        ),
        (".metadata.labels.app.kubernetes.io/name", ("f:metadata", "f:labels", "f:app.kubernetes.io/name")),
        (".data.enable-network-policy-controller", ("f:data", "f:enable-network-policy-controller")),
        (".list[3].x", ("f:list", "i:3", "f:x")),
        ("", ()),
    ],
)
def test_paths_in_words(said: str, path: paths.Path) -> None:
    assert paths.read(said) == path
    assert paths.text(path) == said


@pytest.mark.parametrize("said", ["spec", ".a[", ".a[name=]", ".a[name=x]", '.a[name="x"', '.a[="x"', '.a[name="x" ]', ".a[]b"])
def test_what_is_no_path_is_refused_with_its_place(said: str) -> None:
    with pytest.raises(ValueError, match=r"is no path to a field: .* character"):
        paths.read(said)


def test_keys_are_one_however_they_are_spelled() -> None:
    assert paths.members({'k:{"b": 1, "a": "x"}': {}}) == {('k:{"a":"x","b":1}',)}
    assert paths.members({'v:"a\\u003cb"': {}}) == {(paths.value("a<b"),)}


def test_elements_of_a_later_kind_are_left_out() -> None:
    assert paths.members({"f:a": {}, "z:new": {}, "f:b": {"z:new": {}}}) == {("f:a",), ("f:b",)}


def test_the_servers_order_is_fields_keys_values_places() -> None:
    found = paths.as_v1({("f:b",), ("i:0",), ('v:"x"',), ('k:{"a":1}',), ("f:a", "f:c"), ("f:a",)})
    assert list(found) == ["f:a", "f:b", 'k:{"a":1}', 'v:"x"', "i:0"]
    assert found["f:a"] == {".": {}, "f:c": {}}
