from __future__ import annotations

import codecs
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.errors import UnreadableInput
from eksnetpol.gateways.yaml_reader import MAX_DEPTH, as_utf8, documents, line_of


def read(text: str) -> list[Any]:
    return [document.value for document in documents(text.encode(), "f")]


def test_documents_have_the_line_their_content_starts_on() -> None:
    text = "# first\na: 1\n---\n\n# nothing\n---\n\nitems:\n- a\n-\n  b: 1\n- [c]\n...\n---\nnull\n"
    found = list(documents(text.encode(), "f"))
    assert [(d.value, d.line, d.item_lines) for d in found] == [
        ({"a": 1}, 2, []),
        ({"items": ["a", {"b": 1}, ["c"]]}, 8, [9, 11, 12]),
    ]


# Each as `kubectl patch --local --type=merge -p '{}' -o json` has it.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "{1: a, 0x10: b, 1.5: c, no: d, 1e3: e, 0777: g}",
            {"1": "a", "16": "b", "1.5": "c", "false": "d", "1000": "e", "511": "g"},
        ),
        (
            "p: &x {a: 1, b: 2}\nq: &y {b: 3, c: 4}\nz: {<<: [*x, *y], d: 5}",
            {"p": {"a": 1, "b": 2}, "q": {"b": 3, "c": 4}, "z": {"a": 1, "b": 2, "c": 4, "d": 5}},
        ),
        ("x: &x {a: 1}\nw: {a: 9, <<: *x}\nv: {<<: *x, a: 7}", {"x": {"a": 1}, "w": {"a": 1}, "v": {"a": 7}}),
        ("'<<': {a: 1}", {"<<": {"a": 1}}),
        ("a: &q yes\nb: *q\nc: {*q : 1}", {"a": True, "b": True, "c": {"true": 1}}),
        ("a: &q 1\nb: *q\nc: &q 2\nd: *q", {"a": 1, "b": 1, "c": 2, "d": 2}),
        ("a: |\n  x\n  y\nb: >-\n  x\n  y\nc: 'it''s'", {"a": "x\ny\n", "b": "x y", "c": "it's"}),
        ('a: "80"\nb: 80\nc: !!str 80\nd: ! 12', {"a": "80", "b": 80, "c": "80", "d": 12}),
        ("a: !!set {x, z}\nb: !!omap [x: 1]", {"a": {"x": None, "z": None}, "b": [{"x": 1}]}),
        ("? a\n: b", {"a": "b"}),
        ("{}", {}),
        ("[]", []),
    ],
)
def test_values_are_what_kubectl_makes_of_them(text: str, value: Any) -> None:
    assert read(text) == [value]


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc<y1.", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(plain.filter(lambda value: value is not None))
def test_what_is_written_comes_back(value: Any) -> None:
    json = msgspec.json.encode(value)
    assert [d.value for d in documents(json, "f")] == [value]
    block = yaml.safe_dump(value, default_style='"').encode()
    assert msgspec.json.encode([d.value for d in documents(block, "f")]).count(b"{") == json.count(b"{")


@settings(max_examples=300, deadline=None)
@given(st.text("ab:-[]{}#&*!|>'\"%@`,? \n\t\\0<~.é\x00", max_size=30))
def test_no_text_ends_in_anything_but_values_or_one_line(text: str) -> None:
    said = ""
    try:
        list(documents(text.encode(), "f"))
    except UnreadableInput as error:
        said = str(error)
    assert said == "" or said.startswith("f:")
    assert "\n" not in said


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a:\n  - b\n c", 3, "this is not YAML"),
        ("a:\n\tb: 1", 2, "a tab cannot indent"),
        ("kind: {{ .Values.kind }}\n", 1, "it looks like a template"),
        ("{{- if .Values.on }}\na: b\n{{- end }}", 1, "it looks like a template"),
        ("a: [1, 2", 1, "this is not YAML"),
        ("a: 'b", 1, "this is not YAML"),
        ("a: 1\nb:\n  c: 1\n  c: 2", 4, "the key 'c' is there twice"),
        ("yes: 1\n\ntrue: 2", 3, "the key 'true' is there twice"),
        ("a: {<<: {b: 1}, c: 1, c: 2}", 1, "the key 'c' is there twice"),
        ("a: 1\n~: 2", 2, "a key is missing"),
        ("{[a]: b}", 1, "used as a key"),
        ("a: &a [*a]", 1, "the anchor 'a' contains itself"),
        ("a: 1\nb: *c", 2, "the alias 'c' names no anchor"),
        ("a: &x 1\n---\nb: *x", 3, "the alias 'x' names no anchor of this document"),
        ("a: {<<: 3}", 1, "a merge (<<) wants a mapping"),
        ("a: !!int x", 1, "its tag !!int"),
        ("a: \x00", 1, "this is not YAML"),
        ("a:\n- b\n- \x07", 3, "this is not YAML"),
        (BOMB, 7, "aliases unfold to more than"),
        ("a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 1000 + "]", 2, "aliases unfold to more than"),
        ("[" * 10_000, 1, f"nested more than {MAX_DEPTH} levels"),
        ("- " * 10_000, 1, f"nested more than {MAX_DEPTH} levels"),
    ],
)
def test_mistakes_name_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(UnreadableInput) as raised:
        read(text)
    assert raised.value.place == f"f:{line}"
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_line_of_ten_megabytes_is_a_line() -> None:
    assert read("a: " + "x" * 10_000_000 + "\nb: 1")[0]["b"] == 1


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_byte_order_mark_tells_the_encoding(mark: bytes, encoding: str) -> None:
    assert as_utf8(mark + "a: é".encode(encoding), "f") == "a: é".encode()


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"a: 1\nb: \xe9\n", "f:2"), (codecs.BOM_UTF16_LE + "a: 1\nb".encode("utf-16-le") + b"\x00", "f:2")],
)
def test_what_is_no_text_names_its_line(data: bytes, place: str) -> None:
    with pytest.raises(UnreadableInput, match="text; expected YAML or JSON") as raised:
        as_utf8(data, "f")
    assert raised.value.place == place


def test_a_place_in_a_document_has_a_line() -> None:
    data = b"# one\n---\n---\nitems:\n- a: 1\n- spec:\n    peers:\n    - b\n    - c: [1,\n        2]\n"
    assert line_of(data, 0, ["items", 1, "spec", "peers", 1, "c"]) == 9
    assert line_of(data, 0, ["items", 1, "spec", "absent", "more"]) == 6
    assert line_of(data, 0, []) == 4
    assert line_of(data, 1, []) is None
    assert line_of(b'{"a": {\n"b": 1}}', 0, ["a", "b"]) == 2
