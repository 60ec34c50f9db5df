"""Calico's selector language: what is one and what is none, where it goes wrong, and what it means."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.engines.calico.labels import Seen
from eksnetpol.engines.calico.selector import (
    All,
    Any,
    Ask,
    Every,
    Global,
    Negated,
    Op,
    Selector,
    SelectorError,
    TooDeepError,
    formula,
    matches,
    parse,
    pointed,
    print_selector,
)
from eksnetpol.policy.stacks.ends import End, holds
from eksnetpol.policy.stacks.formulas import EndKind, Scope
from tests.engines import calico_words

GOOD = {
    "": "all()",
    " \t ": "all()",
    "all()": "all()",
    "all( \t)": "all()",
    "global()": "global()",
    "has(a)": "has(a)",
    "has( a )": "has(a)",
    "has(a.b/c-d_e)": "has(a.b/c-d_e)",
    "a == 'b'": 'a == "b"',
    "a=='b'": 'a == "b"',
    'a\t==\t"b"': 'a == "b"',
    "a == 'with \"double\" ones'": "a == 'with \"double\" ones'",
    'a == "it\'s"': 'a == "it\'s"',
    "a == 'back\\slash'": 'a == "back\\slash"',
    "a == 'two\nlines'": 'a == "two\nlines"',
    "a == ''": 'a == ""',
    "a != 'b'": 'a != "b"',
    "a in {}": "a in {}",
    "a in{'y','x'}": 'a in {"x", "y"}',
    "a in {'x', \"y\", }": 'a in {"x", "y"}',
    "a in {'x','x'}": 'a in {"x"}',
    "a not in {'x'}": 'a not in {"x"}',
    "a notin {'x'}": 'a not in {"x"}',
    "a not\t in{'x'}": 'a not in {"x"}',
    "a contains 'x'": 'a contains "x"',
    "a contains'x'": 'a contains "x"',
    "a starts with 'x'": 'a starts with "x"',
    "a startswith'x'": 'a starts with "x"',
    "a ends \t with 'x'": 'a ends with "x"',
    "a endswith 'x'": 'a ends with "x"',
    "in in {'x'}": 'in in {"x"}',
    "not in {'x'}": 'not in {"x"}',
    "not not in {'x'}": 'not not in {"x"}',
    "contains contains 'x'": 'contains contains "x"',
    "starts starts with 'x'": 'starts starts with "x"',
    "has == 'x'": 'has == "x"',
    "all != 'x'": 'all != "x"',
    "global in {'x'}": 'global in {"x"}',
    "5 == '5'": '5 == "5"',
    "/ == './-_'": '/ == "./-_"',
    "!has(a)": "!has(a)",
    "! ! has(a)": "has(a)",
    "!!!a == 'b'": '!a == "b"',
    "!(a == 'b')": '!a == "b"',
    "!(!(a == 'b'))": 'a == "b"',
    "((all()))": "all()",
    "a == 'b' && c == 'd' && has(e)": '(a == "b" && c == "d" && has(e))',
    "a == 'b' || c == 'd' && has(e)": '(a == "b" || (c == "d" && has(e)))',
    "(a == 'b' || c == 'd') && !has(e)": '((a == "b" || c == "d") && !has(e))',
    "a == 'b'&&!(c == 'd'||has(e))": '(a == "b" && !(c == "d" || has(e)))',
    "(a == 'b' && has(c)) && has(d)": '((a == "b" && has(c)) && has(d))',
    "a == 'x' && global()": '(a == "x" && global())',
}
BAD = {
    "a": 1,
    "a ==": 4,
    "a == b": 5,
    "a = 'b'": 2,
    "a === 'b'": 4,
    "a == 'b": 5,
    "a == 'it's'": 9,
    "a == \u2018b\u2019": 5,
    "a <> 'b'": 2,
    "a in 'x'": 5,
    "a in {x}": 6,
    "a in {'x' 'y'}": 10,
    "a in {,}": 6,
    "a in {'x',,}": 10,
    "a in {'x'": 9,
    "a inx {'x'}": 2,
    "a not 'x'": 2,
    "a not in x": 9,
    "a starts 'x'": 2,
    "a starts with": 13,
    "a containsx 'x'": 2,
    "has": 3,
    "has(": 4,
    "has()": 4,
    "has(a": 5,
    "has(a b)": 6,
    "has(a,b)": 5,
    "has('a')": 4,
    "has (a)": 4,
    "all": 3,
    "all(": 4,
    "all ()": 4,
    "all(a)": 4,
    "global ()": 7,
    "ALL()": 3,
    "()": 1,
    "(": 1,
    ")": 0,
    "(a == 'b'": 9,
    "a == 'b')": 8,
    "a == 'b' c == 'd'": 9,
    "a == 'b' &": 9,
    "a == 'b' &&": 11,
    "&& a == 'b'": 0,
    "a == 'b' & c == 'd'": 9,
    "a == 'b' | c == 'd'": 9,
    "a == 'b' && || c == 'd'": 12,
    "a == 'b' and c == 'd'": 9,
    "!": 1,
    "!!": 2,
    "a ! == 'b'": 2,
    "a == 'b'\n": 8,
    "a\n== 'b'": 1,
    "a\u00a0== 'b'": 1,
    "a == 'b' \r": 9,
    "\u00fc == 'b'": 0,
    "a* == 'b'": 1,
    "'a' == 'b'": 0,
    "{a} == 'b'": 0,
    "a == 'b';": 8,
    "x" * 513 + " == 'b'": 0,
    f"has({'x' * 513})": 4,
}


@pytest.mark.parametrize("text", GOOD)
def test_what_is_a_selector_is_read_and_printed_as_calico_prints_it(text: str) -> None:
    assert print_selector(parse(text)) == GOOD[text]
    assert parse(GOOD[text]) == parse(text)
    assert calico_words.read(text) is not None


@pytest.mark.parametrize("text", BAD)
def test_what_is_none_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert caught.value.place == BAD[text], str(caught.value)
    assert not isinstance(caught.value, TooDeepError)
    assert calico_words.read(text) is None


def test_a_caret_stands_under_the_place() -> None:
    with pytest.raises(SelectorError) as caught:
        parse("app = 'web'")
    assert pointed("app = 'web'", caught.value) == "app = 'web'\n    ^"
    assert str(caught.value) == "expected == (at character 5)"
    with pytest.raises(SelectorError) as caught:
        parse("app\u00a0== 'web'")
    assert pointed("app\u00a0== 'web'", caught.value) == "app == 'web'\n   ^"


def test_the_longest_label_is_one() -> None:
    assert parse("x" * 512 + " == 'b'") == Ask("x" * 512, Op.EQ, frozenset("b"))


def test_no_depth_is_too_much_to_answer() -> None:
    assert parse("(" * 50_000 + "has(a)" + ")" * 50_000) == Ask("a", Op.HAS)
    assert parse("!(" * 50_001 + "has(a)" + ")" * 50_001) == Negated(Ask("a", Op.HAS))
    # As deep as the 1024 characters of a CustomResourceDefinition go.
    deep = parse("all()&&(" * 113 + "has(a)" + ")" * 113)
    assert parse(print_selector(deep)) == deep
    assert holds(formula(deep), End(EndKind.POD, labels={"a": ""})) is True
    assert matches(deep, {"a": ""})
    with pytest.raises(TooDeepError):
        parse("all()&&(" * 5_000 + "has(a)" + ")" * 5_000)


KEYS = st.sampled_from(
    ["a", "b", "in", "projectcalico.org/namespace", "projectcalico.org/serviceaccount", "pcns.env", "pcsa.role"]
)
VALUES = st.sampled_from(["", "x", "xy", "it's", 'a "b"', "k8s", "shop", "web"])
ASKS = st.one_of(
    st.builds(lambda k: Ask(k, Op.HAS), KEYS),
    st.builds(
        lambda k, op, v: Ask(k, op, frozenset({v})),
        KEYS,
        st.sampled_from([Op.EQ, Op.NE, Op.CONTAINS, Op.STARTS, Op.ENDS]),
        VALUES,
    ),
    st.builds(Ask, KEYS, st.sampled_from([Op.IN, Op.NOT_IN]), st.frozensets(VALUES, max_size=3)),
)


def _deeper(inner: st.SearchStrategy[Selector]) -> st.SearchStrategy[Selector]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(Every), several.map(Any), inner.map(lambda one: one.part if isinstance(one, Negated) else Negated(one))
    )


SELECTORS: st.SearchStrategy[Selector] = st.recursive(st.one_of(ASKS, st.just(All()), st.just(Global())), _deeper, max_leaves=12)
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)


@settings(max_examples=150, deadline=None)
@given(SELECTORS, LABELS)
def test_reading_what_is_printed_is_the_same_and_means_the_same(selector: Selector, labels: dict[str, str]) -> None:
    text = print_selector(selector)
    assert parse(text) == selector
    plain = calico_words.read(text)
    assert plain is not None
    assert matches(selector, labels) == calico_words.selects(plain, labels)


@settings(max_examples=150, deadline=None)
@given(SELECTORS, LABELS, st.sampled_from(["shop", "x", "it"]), st.sampled_from(["web", "default"]))
def test_a_formula_means_the_pods_that_have_these_labels_to_calico(
    selector: Selector, labels: dict[str, str], namespace: str, account: str
) -> None:
    of_namespace, of_account = {"env": "x", "kubernetes.io/metadata.name": namespace}, {"role": "xy"}
    pod = End(EndKind.POD, namespace, labels, of_namespace, account, of_account)
    copied = {f"pcns.{k}": v for k, v in of_namespace.items()} | {f"pcsa.{k}": v for k, v in of_account.items()}
    names = {"namespace": namespace, "serviceaccount": account, "orchestrator": "k8s"}
    seen = Seen(frozenset({"web", "default"}), frozenset(k for k in labels if k.startswith("pc")))
    to_calico = copied | labels | {f"projectcalico.org/{key}": value for key, value in names.items()}
    assert holds(formula(selector, seen=seen), pod) == matches(selector, to_calico)


def test_labels_of_namespaces_and_accounts_alone() -> None:
    pod = End(EndKind.POD, "shop", {"env": "no"}, {"env": "prod"}, "web", {"env": "dev"})
    assert holds(formula(parse("env == 'prod' && projectcalico.org/name == 'shop'"), Scope.NAMESPACE), pod) is True
    assert holds(formula(parse("env == 'dev' && projectcalico.org/name == 'web'"), Scope.ACCOUNT), pod) is True
    assert holds(formula(parse("env == 'no'")), pod) is True
    assert holds(formula(parse("projectcalico.org/orchestrator == 'k8s' && projectcalico.org/name != 'shop'")), pod) is True


PIECES = [
    *(
        "a",
        "in",
        "not",
        "has(",
        "all(",
        "all()",
        "global()",
        "has(a)",
        "==",
        "!=",
        "=",
        "&&",
        "||",
        "&",
        "!",
        "(",
        ")",
        "{",
        "}",
        ",",
    ),
    *(
        "'x'",
        '"y"',
        "'",
        '"',
        " ",
        "\t",
        "\n",
        "contains",
        "starts",
        "with",
        "ends",
        "\u00e9",
        "a == 'x'",
        "a in {'x'}",
        "a not in {'y',}",
    ),
]


def test_malformed_texts_are_refused_and_nothing_else_happens() -> None:
    chance = random.Random(6)  # noqa: S311 - nothing depends on nobody guessing it
    good = bad = 0
    for _ in range(15_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 9)))
        plain = calico_words.read(text)
        if plain is None:
            with pytest.raises(SelectorError) as caught:
                parse(text)
            assert 0 <= caught.value.place <= len(text)
            bad += 1
        else:
            labels = {"a": chance.choice("xy"), "in": "x"}
            assert matches(parse(text), labels) == calico_words.selects(plain, labels), text
            good += 1
    assert good > 300
    assert bad > 5_000


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("ain'\"{}()&|!= ,")), max_size=40))
def test_any_text_at_all_is_read_or_refused(text: str) -> None:
    if calico_words.read(text) is None:
        with pytest.raises(SelectorError) as caught:
            parse(text)
        assert pointed(text, caught.value).endswith("^")
    else:
        assert parse(print_selector(parse(text))) == parse(text)
