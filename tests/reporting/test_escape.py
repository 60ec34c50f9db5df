"""Nothing that comes from a cluster acts on whoever reads a report, in any format and any field."""

from __future__ import annotations

import json
import re
import unicodedata
from html import escape as html_escape
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from eksnetpol.model.findings import Finding, Outcome, Report, Subject, Unknown
from eksnetpol.model.snapshot import Origin, Target, Unread, UnreadSection
from eksnetpol.reporting import escape, view
from eksnetpol.reporting.formats import FORMATS, render
from tests.reporting.samples import BLOCKED, found, result

ANY = st.text(st.characters(exclude_categories=()), min_size=1, max_size=30)
NASTY = st.sampled_from(
    [
        "\x1b[2J\x1b]0;owned\x07",
        "\x9b31m",
        "a\r\n::error title=x::owned",
        "::stop-commands::tok",
        "##[add-mask]x",
        "\u202egnp.exe",
        "\ufeff\u200b\u2066",
        "\u2028\u2029\x85\x0b\x0c",
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "]]><!--",
        "{{ 7*7 }}{% raw %}",
        "a | b\n| --- |\n| c |",
        "```\n# owned\n```",
        "`a``b`",
        "[x](javascript:alert(1)) ![y](https://e.example/p.png)",
        "@octocat #1 GH-1 www.example.com https://e.example a@b.example",
        "- a\n1. b\n> c",
        "&#x1b;&lt;b&gt;",
        "%0A::error::x",
        "\ud800\udfff",
        "\x00",
        "~~a~~ **b** _c_ $d$ \\",
        "a: b # c\n- d\n...\n---",
        "!!python/object:os.system",
        "x" * 300,
        "ключ 名前 🦊",
    ]
)
WORDS = NASTY | ANY | st.tuples(NASTY, ANY, NASTY).map("".join)


def report_of(text: str) -> Report:
    """A report with *text* in every field that a cluster, a file or a settings file can fill."""
    subject = Subject(text, text, text)
    judged = found(
        subject, text, remedy=text, command=text, evidence=(text, text), reason=text, origin=Origin(text, 3)
    )  # fmt: skip
    made = (
        result("a-check", "nodes", "nodes are well", Outcome.FAILED, findings=(judged,), unknowns=(Unknown(subject, text),)),
        result("b-check", "nodes", "nodes are well", Outcome.UNKNOWN, reason=text, evidence=(text,)),
        result("c-check", "nodes", "nodes are well", Outcome.ERRORED, reason=text),
        result("d-check", "nodes", "nodes are well", Outcome.SKIPPED, reason=text),
        result("e-check", "nodes", "nodes are well", Outcome.PASSED, evidence=(text,)),
        result("f-check", "nodes", "nodes are well", Outcome.UNKNOWN, reason=text, ignored=True),
    )
    return msgspec.structs.replace(
        BLOCKED,
        target=Target(text, text, text, text, text, text),
        results=made,
        notes=(text,),
        unread=(UnreadSection("pods", Unread(text, permission=text)),),
    )


def shown(text: str) -> str:
    return escape.visible(text, keep="\n")


everything = settings(max_examples=80, deadline=None)


@everything
@given(WORDS, st.sampled_from(list(FORMATS)), st.booleans(), st.booleans())
def test_no_format_prints_what_a_terminal_or_a_runner_obeys(text: str, name: str, color: bool, verbose: bool) -> None:
    said = render(report_of(text), name, color=color, verbose=verbose)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said) if name == "text" and color else said
    assert {c for c in plain if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"} <= {"\n"}
    assert "##[" not in plain
    said.encode()
    if name != "github":
        assert not re.search(r"(?im)^\s*::(error|warning|notice|stop-commands|add-mask|set-output)", plain)


@everything
@given(WORDS, st.integers(20, 120))
def test_text_keeps_to_its_width_and_to_ascii(text: str, width: int) -> None:
    said = render(report_of(text), "text", width=width, verbose=True)
    assert said.isascii()
    assert max(map(len, said.split("\n"))) <= width


@everything
@given(WORDS)
def test_json_and_yaml_give_back_what_they_were_given(text: str) -> None:
    report = report_of(text)
    told = json.loads(render(report, "json"))
    sound = escape.encodable(text)
    assert told["notes"] == [sound]
    assert told["results"][0]["findings"][0]["message"] == sound
    assert told["target"]["cluster"] == sound
    assert yaml.safe_load(render(report, "yaml")) == told


@everything
@given(WORDS)
def test_junit_is_well_formed_and_says_it_all(text: str) -> None:
    report = report_of(text)
    suites = ET.fromstring(render(report, "junit"))  # noqa: S314 - written a line ago
    assert [suite.tag for suite in suites] == ["testsuite"]
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert list(cases) == [r.id for r in report.results]
    assert [child.tag for child in cases["a-check"]] == ["failure"]
    body = "".join(cases["a-check"].itertext())
    assert shown(text) in body
    assert next(iter(cases["d-check"])).get("message") == shown(text)


@everything
@given(WORDS)
def test_sarif_is_json_with_sound_places(text: str) -> None:
    run = json.loads(render(report_of(text), "sarif"))["runs"][0]
    for made in run["results"]:
        uri = made["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._~/%:-]*", uri)
        assert ".." not in uri.split("/") or made["ruleId"] == "a-check"
    assert shown(text) in run["results"][0]["message"]["text"]


@everything
@given(WORDS)
def test_annotations_are_as_many_as_there_are_things_to_say(text: str) -> None:
    report = report_of(text)
    lines = render(report, "github").split("\n")
    assert lines.pop() == ""
    expected = 1 + 1 + len(view.gaps(report)) + 1 + 1
    assert len(lines) == expected
    for line in lines:
        match = re.fullmatch(r"::(error|warning|notice) ((?:\w+=[^,:\n]*,?)+)::([^\r\n]*)", line)
        assert match, line
    first = re.fullmatch(r"::error file=([^,:]*),line=3,title=a-check%3A nodes are well::(.*)", lines[0])
    assert first
    assert unescaped(first[1].replace("%3A", ":").replace("%2C", ",")) == shown(text)


def unescaped(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


class Page(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, and the text outside of script and style."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._quiet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self._quiet = tag in {"script", "style"}

    def handle_endtag(self, _tag: str) -> None:  # noqa: D102
        self._quiet = False

    def handle_data(self, data: str) -> None:  # noqa: D102
        self.text += "" if self._quiet else data


def page_of(text: str) -> Page:
    page = Page()
    page.feed(render(report_of(text), "html"))
    page.close()
    return page


PLAIN = page_of("plain")


@everything
@given(WORDS)
def test_html_has_the_same_elements_whatever_the_words(text: str) -> None:
    page = page_of(text)
    # Two gaps of one reason are one; a text that is blank is left out where there is nothing to say.
    assert set(page.elements) == set(PLAIN.elements) or not text
    assert page.elements.count("script") == 1
    assert page.elements.count("style") == 1
    assert page.attributes == PLAIN.attributes
    assert shown(text) in page.text


markdown_reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read(markdown: str) -> tuple[list[str], str]:
    """The kinds of all tokens of *markdown*, and its text as a reader sees it."""
    kinds: list[str] = []
    text = ""
    for token in markdown_reader.parse(markdown):
        if token.type != "inline":
            kinds.append(token.type)
        for child in token.children or ():
            if child.type == "html_inline" and child.content == "<!-- -->":
                continue
            kinds += [] if child.type in {"text", "text_special"} else [child.type]
            text += child.content
    return kinds, text


@everything
@given(WORDS)
@example("- a")
@example("12) a")
@example("12. a")
@example("+")
@example("# a")
def test_markdown_text_is_read_as_text(text: str) -> None:
    kinds, said = read(escape.markdown(text))
    wanted = escape.one_line(text).strip()
    assert said.strip() == wanted
    assert kinds == (["paragraph_open", "paragraph_close"] if wanted else [])


@everything
@given(WORDS)
def test_markdown_code_is_read_as_code_in_and_out_of_tables(text: str) -> None:
    wanted = escape.one_line(text)
    kinds, said = read(escape.markdown_code(text))
    table, in_cell = read(f"| a | b |\n| --- | --- |\n| {escape.markdown_code(text, cell=True)} | x |")
    if not wanted.strip():
        assert kinds == []
        return
    assert kinds == ["paragraph_open", "code_inline", "paragraph_close"]
    assert said.strip() == wanted.strip()
    assert table.count("td_open") == 2
    assert table.count("code_inline") == 1
    assert in_cell == f"ab{said}x"


@everything
@given(WORDS)
def test_a_markdown_block_holds_what_it_was_given(text: str) -> None:
    (token,) = markdown_reader.parse(escape.markdown_block(text))
    assert token.type == "fence"
    assert token.content.strip("\n") == shown(text).strip("\n")


@everything
@given(WORDS)
def test_a_markdown_page_has_the_same_parts_whatever_the_words(text: str) -> None:
    kinds, _ = read(render(report_of(text), "markdown"))
    usual, _ = read(render(report_of("plain"), "markdown"))
    blocks = {"heading_open", "table_open", "tr_open", "fence", "bullet_list_open", "ordered_list_open", "html_block"}
    never = {"image", "em_open", "strong_open", "s_open", "hr", "ordered_list_open", "code_block"}
    if text.strip():
        assert [k for k in kinds if k in blocks] == [k for k in usual if k in blocks]
    assert {k for k in kinds if k in never} == {k for k in usual if k in never}
    assert kinds.count("link_open") == usual.count("link_open")


def test_github_s_own_links_are_cut() -> None:
    said = escape.markdown("@octocat #12 GH-12 www.example.com https://e.example mailto:a@b.example")
    for trigger in (r"@\w", r"#\d", r"GH-\d", r"www\.", r"https://", r"mailto:"):
        assert not re.search(trigger, said), trigger


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("allow-api", "allow-api"),
        ("a\x1b[0m", r"a\x1b[0m"),
        ("a\u202eb", r"a\u202eb"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("é 名", "é 名"),
        ("::error::x", r"\x3a:error::x"),
        ("##[error]x", r"#\x23[error]x"),
        ("2001:db8::1 ::/0 ::ffff:10.0.0.1", "2001:db8::1 ::/0 ::ffff:10.0.0.1"),
    ],
)
def test_what_is_not_seen_is_written_out(text: str, written: str) -> None:
    assert escape.visible(text) == written


def test_ascii_only_writes_out_the_rest() -> None:
    assert escape.visible("é 🦊", ascii_only=True) == r"\xe9 \U0001f98a"
    assert html_escape(escape.visible("<é>")) == "&lt;é&gt;"


def test_a_finding_keeps_its_words_for_programs() -> None:
    finding: dict[str, Any] = msgspec.to_builtins(Finding(Subject("Node", "a"), "\x1b", "\u202e"))
    assert finding["message"] == "\x1b"
