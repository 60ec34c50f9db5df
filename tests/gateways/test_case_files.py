from __future__ import annotations

from pathlib import Path

import pytest

from eksnetpol.errors import UsageError
from eksnetpol.gateways.case_files import read_cases
from eksnetpol.policy.cases import Case, Labelled

GOOD = """\
- name: one
  from: shop/web
  to: {namespace: shop, labels: {app: api}}
  port: 8080
  allow: true
- {name: two, from: internet, to: shop/web, protocol: UDP, allow: false}
"""


def test_cases_are_read_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert read_cases([str(file)]) == (
        Case("one", "shop/web", Labelled("shop", (("app", "api"),)), allow=True, port=8080, place=f"{file}:1"),
        Case("two", "internet", "shop/web", allow=False, protocol="UDP", place=f"{file}:6"),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 0, "there is nothing in it; expected a list of cases, each with name, from, to and allow"),
        ("name: x\n", 1, "this is no list; expected a list of cases"),
        ("- x\n", 1, "this is no case; expected a list of cases"),
        (GOOD + "- {name: x, form: a/b, to: c/d, allow: true}\n", 7, "case: there is no key 'form'; did you mean 'from'?"),
        (GOOD + "- name: x\n  to: c/d\n  allow: true\n", 7, "the case 'x' has no 'from'; a case has name, from, to, allow"),
        (GOOD + "- from: a/b\n  to: c/d\n  allow: true\n", 7, "the case has no 'name'; a case has"),
        (GOOD + "- name: one\n  from: a/b\n  to: c/d\n  allow: true\n", 7, "there is a case 'one' already, at "),
        (GOOD + "- name: x\n  from: a/b\n  to: c/d\n  allow: maybe\n", 10, "allow: expected true or false, got 'maybe'"),
        (GOOD + "- name: 5\n  from: a/b\n  to: c/d\n  allow: true\n", 7, "name: expected a text, got 5"),
        (GOOD + "- name: x\n  from: [a/b]\n  to: c/d\n  allow: true\n", 8, "from: expected a text, or namespace and"),
        (GOOD + "- name: x\n  from: {labels: {}}\n  to: c/d\n  allow: true\n", 8, "from: the pod has no namespace"),
        (GOOD + "- name: x\n  from: {namespace: a, lables: {}}\n  to: c/d\n  allow: true\n", 8,
         "from: there is no key 'lables'; did you mean 'labels'?"),
        (GOOD + "- name: x\n  from:\n    namespace: a\n    labels: {v: 1}\n  to: c/d\n  allow: true\n", 10,
         "from.labels: expected a mapping of texts; put numbers in quotes"),
        (GOOD + "- name: x\n  from: a/b\n  to: c/d\n  port: [80]\n  allow: true\n", 10,
         "port: expected a number, a range or a name, got a list"),
        (GOOD + "- name: x\n  from: a/b\n  to: c/d\n  port: true\n  allow: true\n", 10, "port: expected a number"),
        (GOOD + "- name: x\n  from: a/b\n  to: c/d\n  protocol: 6\n  allow: true\n", 10, "protocol: expected TCP, UDP, SCTP"),
        (GOOD + "- {name: x, name: y, from: a/b, to: c/d, allow: true}\n", 7, "the key 'name' is there twice"),
        ("- {name: x\n", 1, "this is not YAML"),
        ("# nothing\n---\n" + GOOD + "- {name: x, to: c/d, allow: true}\n", 9, "the case 'x' has no 'from'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        read_cases([str(file)])
    assert str(raised.value).startswith(f"{file}:{line}: {words}" if line else f"{file}: {words}")


def test_names_are_told_apart_over_all_files(tmp_path: Path) -> None:
    one, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    one.write_text(GOOD, encoding="utf-8")
    other.write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match=f"{other}:1: there is a case 'one' already, at {one}:1"):
        read_cases([str(one), str(other)])


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: there is no such file"):
        read_cases(["nowhere.yaml"])
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_cases(["/"])
