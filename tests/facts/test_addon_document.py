from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.facts.addon_document import corrected, misplaced, read_schema, unquoted, unswitched, violations
from eksnetpol.facts.configuration import leaves, parse_values, replaced

KEYS = st.sampled_from(["enableNetworkPolicy", "env", "nodeAgent", "metricsBindAddr", "WARM_IP_TARGET", "logLevel", "init", "x"])
SCALARS = st.one_of(st.booleans(), st.integers(0, 9999), st.sampled_from(["true", "True", "5", ""]))
DOCUMENTS = st.dictionaries(KEYS, st.one_of(SCALARS, st.dictionaries(KEYS, SCALARS, max_size=3)), max_size=4)


@given(DOCUMENTS)
def test_a_corrected_document_has_nothing_left_to_correct(document: dict[str, Any]) -> None:
    mended = corrected(document)
    assert not list(misplaced(mended))
    assert not list(unquoted(mended))
    assert not list(unswitched(mended))
    assert corrected(mended) == mended


@given(DOCUMENTS)
def test_correcting_leaves_the_given_document_as_it_is(document: dict[str, Any]) -> None:
    before = {k: dict(v) if isinstance(v, dict) else v for k, v in document.items()}
    corrected(document)
    assert document == before


@given(DOCUMENTS, st.sampled_from(["enableNetworkPolicy", "env.A", "nodeAgent.logLevel"]))
def test_what_was_put_is_there_and_what_was_taken_is_gone(document: dict[str, Any], path: str) -> None:
    assert dict(leaves(replaced(document, path, "v")))[path] == "v"
    assert path not in dict(leaves(replaced(replaced(document, path, "v"), path, None)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1', "neither JSON nor YAML"),
        ("a: [1", "line"),
        ("a: b: c", "line 1"),
        ("a: &x 1\nb: *x", "aliases"),
        ("[" * 5000, "neither JSON nor YAML"),
        ("a: !!python/object:os.system x", "neither JSON nor YAML"),
        ("a: \x00", "neither JSON nor YAML"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as raised:
        parse_values(text)
    assert len(str(raised.value)) < 400


def test_keys_of_yaml_become_text_as_json_has_them() -> None:
    assert parse_values("1: {2: a}") == {"1": {"2": "a"}}


def test_a_schema_is_never_fetched() -> None:
    schema = read_schema('{"$ref": "https://example.com/never"}')
    with pytest.raises(ValueError, match="cannot be applied"):
        list(violations({"a": "1"}, schema))
