from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eksnetpol.gateways.yaml_scalars import Unreadable, key_of, resolve, tagged

# What `kubectl patch --local --type=merge -p '{}' -o json` makes of each.
AS_KUBECTL: dict[str, Any] = {
    "yes": True,
    "Y": True,
    "on": True,
    "TRUE": True,
    "no": False,
    "n": False,
    "Off": False,
    "yEs": "yEs",
    "~": None,
    "": None,
    "NULL": None,
    "nULL": "nULL",
    "0777": 511,
    "0o777": 511,
    "0O17": 15,
    "-017": -15,
    "09": 9,
    "08.5": 8.5,
    "0x1F": 31,
    "0X_1f": 31,
    "0b11": 3,
    "0b-11": -3,
    "0b2": "0b2",
    "1_000": 1000,
    "_1": "_1",
    "+1": 1,
    "-0": 0,
    "-": "-",
    "1e3": 1000,
    "1E+2": 100,
    ".5": 0.5,
    "+.5": 0.5,
    ".5_0": 0.5,
    ".5_": ".5_",
    "1.": 1,
    "1.10": 1.1,
    "1.2.3": "1.2.3",
    "1e400": "1e400",
    "9223372036854775807": 9223372036854775807,
    "99999999999999999999": 1e20,
    "12:30:45": "12:30:45",
    "2020-01-01": "2020-01-01",
    "2020-01-01T00:00:00Z": "2020-01-01T00:00:00Z",
    "0xg": "0xg",
    "=": "=",
    "10.0.0.0/8": "10.0.0.0/8",
}


@pytest.mark.parametrize("text", AS_KUBECTL)
def test_plain_scalars_are_what_kubectl_makes_of_them(text: str) -> None:
    value = resolve(text)
    assert (type(value) is bool) == (type(AS_KUBECTL[text]) is bool)
    assert isinstance(value, str) == isinstance(AS_KUBECTL[text], str)
    assert value == AS_KUBECTL[text]


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".NaN"])
def test_what_json_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="a number that JSON cannot hold"):
        resolve(text)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_read_in_every_base(number: int) -> None:
    sign = "-" if number < 0 else ""
    for written in (f"{number:d}", f"{sign}{abs(number):#x}", f"{sign}{abs(number):#o}", f"{sign}0{abs(number):o}"):
        assert resolve(written) == number


@given(st.text(max_size=12))
def test_no_text_breaks_the_resolver(text: str) -> None:
    assume(not text.lower().endswith((".inf", ".nan")))
    value = resolve(text)
    assert value is None or isinstance(value, bool | int | float) or value == text


@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ("80", "str", "80"),
        ("80", "int", 80),
        ("1", "float", 1),
        ("yes", "bool", True),
        ("~", "null", None),
        ("aGk=", "binary", "hi"),
        ("2020-01-01", "timestamp", "2020-01-01"),
    ],
)
def test_a_tag_decides(text: str, tag: str, value: Any) -> None:
    assert tagged(text, f"tag:yaml.org,2002:{tag}") == value


def test_a_tag_of_somebody_elses_leaves_the_text() -> None:
    assert tagged("12", "!Ref") == "12"


@pytest.mark.parametrize(
    ("text", "tag"), [("x", "int"), ("1.5", "int"), ("yes", "int"), ("1", "bool"), ("x", "null"), ("x", "float"), ("a", "binary")]
)
def test_a_scalar_that_is_not_what_its_tag_says_is_refused(text: str, tag: str) -> None:
    with pytest.raises(Unreadable, match=f"its tag !!{tag} says"):
        tagged(text, f"tag:yaml.org,2002:{tag}")


def test_keys_become_texts_as_kubectl_writes_them() -> None:
    assert [key_of(k) for k in ("a", True, False, 8080, 1.5)] == ["a", "true", "false", "8080", "1.5"]
    wrongs: tuple[Any, ...] = (None, {}, [])
    for wrong in wrongs:
        with pytest.raises(Unreadable, match="key"):
            key_of(wrong)
