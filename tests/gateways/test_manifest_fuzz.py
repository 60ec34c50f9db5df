from __future__ import annotations

import io
import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.errors import UnreadableInput
from eksnetpol.gateways.manifest_files import read_manifests
from tests.gateways.test_manifest_files import POLICY, a_list, deployment

WHOLE = [POLICY, yaml.safe_dump(deployment()), json.dumps(deployment(), indent=1), a_list(deployment(), yaml.safe_load(POLICY))]
PIECES = [
    "",
    "\n",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "&a ",
    "*a",
    "!!int ",
    "null",
    "\t",
    "#",
    "---\n",
    "0x",
    "\x00",
    "é",
    "<<: ",
]


def answer(data: bytes) -> str:
    """Read *data*, and return what is complained of."""
    try:
        read_manifests(["-"], io.BytesIO(data))
    except UnreadableInput as error:
        return str(error)
    return ""


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 2000), st.integers(0, 12), st.sampled_from(PIECES))
def test_a_manifest_that_somebody_broke_is_read_or_gets_one_line(whole: str, at: int, cut: int, piece: str) -> None:
    at %= len(whole)
    complaint = answer((whole[:at] + piece + whole[at + cut :]).encode())
    assert complaint == "" or complaint.startswith("stdin")
    assert "\n" not in complaint


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_get_one_line(data: bytes) -> None:
    complaint = answer(data)
    assert complaint == "" or complaint.startswith("stdin")
    assert "\n" not in complaint


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | st.sampled_from(["", "a", "80", "Pod", "v1"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "name", "from", "ports"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE[:3]), st.integers(0, 60), VALUES)
def test_a_value_of_any_other_type_is_read_or_gets_one_line(whole: str, which: int, value: object) -> None:
    tree = yaml.safe_load(whole)
    spots: list[tuple[object, object]] = []
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in pairs:
            spots.append((node, key))
            stack.append(child)
    holder, key = spots[which % len(spots)]
    holder[key] = value  # type: ignore[index]
    for text in (json.dumps(tree), yaml.safe_dump(tree)):
        complaint = answer(text.encode())
        assert complaint == "" or complaint.startswith("stdin")
        assert "\n" not in complaint
