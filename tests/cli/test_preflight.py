from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.cli.base import spread
from eksnetpol.errors import Bug
from tests.cli.conftest import Ended

Cli = Callable[..., Ended]
VERSION = "kubernetes-version-supports-policy"


def test_findings_end_with_one_and_the_document_alone_is_on_stdout(cli: Cli, old: str) -> None:
    ended = cli("preflight", "--snapshot", old, "-o", "json")
    report = json.loads(ended.out)
    assert (ended.code, report["exitCode"], report["verdict"]) == (1, 1, "blocked")
    assert ended.err.startswith("eksnetpol: exit code 1: ")
    assert ended.err.count("\n") == 1


def test_what_could_not_be_told_ends_with_three(cli: Cli, saved: str) -> None:
    ended = cli("preflight", "--snapshot", saved)
    assert ended.code == 3
    assert "--no-fail-on-unknown accepts that" in ended.err
    assert cli("preflight", "--snapshot", saved, "--no-fail-on-unknown").code == 0


def test_exit_zero_takes_back_findings_and_unknowns_but_no_mistake(cli: Cli, old: str, saved: str) -> None:
    for file in (old, saved):
        ended = cli("preflight", "--snapshot", file, "--exit-zero")
        assert (ended.code, ended.err) == (0, "")
    assert cli("preflight", "--snapshot", "absent.json", "--exit-zero").code == 2


@pytest.mark.parametrize("form", ["text", "json", "yaml", "markdown", "junit", "sarif", "github", "html"])
def test_every_format_ends_with_the_same_exit_code(cli: Cli, old: str, form: str) -> None:
    ended = cli("preflight", "--snapshot", old, "-o", form)
    assert ended.code == 1
    assert ended.out.endswith("\n")


def test_outputs_repeat_and_files_are_written_whole(cli: Cli, old: str, quiet_place: Path) -> None:
    ended = cli("preflight", "--snapshot", old, "-o", "text", "-o", "json=a.json", "-o", "sarif=b.sarif")
    assert ended.code == 1
    assert ended.out.startswith("BLOCKED")
    assert json.loads((quiet_place / "a.json").read_text(encoding="utf-8"))["verdict"] == "blocked"
    assert json.loads((quiet_place / "b.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert sorted(p.name for p in quiet_place.iterdir()) == ["a.json", "b.sarif", "old.json"]


def test_with_a_file_alone_stdout_stays_empty(cli: Cli, old: str) -> None:
    assert cli("preflight", "--snapshot", old, "-o", "json=a.json").out == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("-o", "text", "-o", "json"), "-o text and -o json both go to stdout"),
        (("-o", "text=x", "-o", "json=./x"), "both go to ./x"),
        (("-o", "jsn"), "did you mean json?"),
        (("-o", "json="), "names no file"),
        (("-o", "json=absent/x.json"), "there is no directory 'absent'"),
        (("-o", "json=."), "is a directory"),
        (("--fail-on", "error"), "'error' is not one of 'blocker', 'warning', 'advice', 'never'"),
        (("--for", "destroy"), "'destroy' is not one of"),
        (("--select", "kubernetes-version"), "did you mean kubernetes-version-supports-policy?"),
        (("--skip", VERSION, "--ignore", "nonsense-*"), "ignore: there is no check or family 'nonsense-*'"),
        (("--baseline", "absent.json"), "absent.json: the baseline cannot be read: No such file or directory"),
        (("--config", "absent.toml"), "absent.toml: there is no such file"),
        (("--request-timeout", "soon"), "'soon' is no time; write 30s or 2m"),
        (("--width", "3"), "3 is not in the range"),
        (("--basline", "x"), "No such option '--basline'. Did you mean '--baseline'?"),
        (("stray",), "unexpected extra argument"),
        (("--manifests", "k8s"), "--snapshot and --manifests mean different things to look at"),
        (("--cluster", "shop"), "--snapshot and --cluster mean different things to look at"),
        (("--region", "eu-west-1"), "--region is about a live cluster, and --snapshot about files"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_exit_code_two(cli: Cli, saved: str, args: tuple[str, ...], words: str) -> None:
    ended = cli("preflight", "--snapshot", saved, *args)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("eksnetpol: ")
    assert words in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "this is empty"),
        (b"{", "the JSON ends too early"),
        (b"\x1f\x8b\x08\x00broken", "gzip data"),
        (b'{"apiVersion": "v1", "kind": "List"}', "this is a v1 List"),
        (b'{"apiVersion": "eksnetpol.io/v1", "kind": "ClusterSnapshot", "schemaVersion": 99}', "update eksnetpol"),
    ],
)
def test_a_broken_snapshot_is_one_line_that_names_it(cli: Cli, quiet_place: Path, content: bytes, words: str) -> None:
    (quiet_place / "broken.json").write_bytes(content)
    ended = cli("preflight", "--snapshot", "broken.json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("eksnetpol: broken.json")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_nothing_to_look_at_names_the_three_ways(cli: Cli) -> None:
    ended = cli("preflight")
    assert ended.code == 2
    for way in ("--cluster NAME --region REGION", "--snapshot FILE", "--manifests DIRECTORY"):
        assert way in ended.err


def test_a_kubeconfig_without_the_context_is_named(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "config").write_text("apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\n", encoding="utf-8")
    ended = cli("preflight", "--kubeconfig", "config", "--context", "shop")
    assert (ended.code, ended.out) == (2, "")
    assert "there is no context 'shop'" in ended.err


def test_comma_lists_globs_and_repetition_select_alike(cli: Cli, old: str) -> None:
    def asked(*args: str) -> set[str]:
        results = json.loads(cli("preflight", "--snapshot", old, "-o", "json", *args).out)["results"]
        return {r["id"] for r in results if r["outcome"] != "skipped"}

    both = {VERSION, "controller-switch-is-on"}
    assert asked("--select", ",".join(sorted(both))) == both
    assert asked("--select", VERSION, "--select", "controller-switch-is-*") == both
    assert VERSION not in asked("--skip", "control_plane")


def test_a_baseline_takes_out_what_it_knew(cli: Cli, old: str) -> None:
    cli("preflight", "--snapshot", old, "--select", VERSION, "-o", "json=before.json")
    ended = cli("preflight", "--snapshot", old, "--select", VERSION, "--baseline", "before.json")
    assert ended.code == 0


def test_a_check_that_breaks_is_a_bug_and_its_traceback_is_for_debug(cli: Cli, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("eksnetpol.operations.preflight.preflight", broken)
    ended = cli("preflight", "--snapshot", old)
    assert ended.code == 70
    assert ended.err == ("eksnetpol: this is a bug (ZeroDivisionError: by zero); run again with --debug and report it\n")
    debugged = cli("preflight", "--snapshot", old, "--debug")
    assert debugged.code == 70
    assert "Traceback (most recent call last)" in debugged.err


def test_an_explained_error_has_its_own_exit_code_and_cannot_act_on_the_terminal(
    cli: Cli, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise Bug("the name is \x1b[31mred\nsecond line")

    monkeypatch.setattr("eksnetpol.operations.preflight.preflight", refused)
    ended = cli("preflight", "--snapshot", old)
    assert (ended.code, ended.err) == (70, "eksnetpol: the name is \\x1b[31mred\n  second line\n")


def test_verbose_says_more_and_quiet_nothing(cli: Cli, old: str) -> None:
    plain, loud = cli("preflight", "--snapshot", old), cli("-vv", "preflight", "--snapshot", old)
    assert f"reading {old}" in loud.err
    assert "asking the checks: 0." in loud.err
    assert len(loud.out) > len(plain.out)
    assert cli("preflight", "-q", "--snapshot", old).err == ""


def test_width_and_color_are_the_persons(cli: Cli, old: str) -> None:
    narrow = cli("preflight", "--snapshot", old, "--width", "50").out
    assert "\x1b[" not in narrow
    assert narrow != cli("preflight", "--snapshot", old).out
    assert "\x1b[" in cli("preflight", "--snapshot", old, "--color", "always").out


@pytest.mark.parametrize(
    ("args", "result"),
    [
        (["--manifests", "a", "b", "-o", "json"], ["--manifests=a", "--manifests=b", "-o", "json"]),
        (["--manifests", "-", "a"], ["--manifests=-", "--manifests=a"]),
        (["--manifests=a", "b", "-v", "--manifests", "c"], ["--manifests=a", "--manifests=b", "-v", "--manifests=c"]),
        (["--manifests", "--", "-odd", "b"], ["--manifests=-odd", "--manifests=b"]),
        (["-o", "json", "stray"], ["-o", "json", "stray"]),
    ],
)
def test_greedy_options_take_every_word_up_to_the_next_option(args: list[str], result: list[str]) -> None:
    assert spread(args, ("--manifests",)) == result


def test_a_greedy_option_without_a_word_says_so(cli: Cli) -> None:
    for args in (("--manifests",), ("--manifests", "-o", "json")):
        ended = cli("preflight", *args)
        assert ended.code == 2
        assert "Option '--manifests' requires an argument." in ended.err


POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: shop, labels: {app: web}}
spec: {containers: [{name: a, image: example.com/a:1}]}
"""


def test_manifests_are_files_directories_and_stdin(process: Cli, quiet_place: Path) -> None:
    (quiet_place / "k8s").mkdir()
    (quiet_place / "k8s" / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (quiet_place / "k8s" / "values.yaml").write_text("replicas: 3\n", encoding="utf-8")
    (quiet_place / "pod.yaml").write_text(POD, encoding="utf-8")
    apart = process("preflight", "--manifests", "k8s", "pod.yaml", "-o", "json")
    report = json.loads(apart.out)
    assert (apart.code, report["source"]) == (0, "manifests")
    assert apart.err == "eksnetpol: note: k8s/values.yaml: no Kubernetes objects, left out\n"
    (found,) = (r for r in report["results"] if r["id"] == "pods-have-owners")
    assert found["outcome"] == "failed"
    piped = process("preflight", "--manifests", "-", "-o", "json", stdin=f"{POLICY}---\n{POD}")
    assert [r["outcome"] for r in json.loads(piped.out)["results"]] == [r["outcome"] for r in report["results"]]
    assert process("preflight", "--manifests", "k8s", "pod.yaml", "--fail-on-unknown", "-q").code == 3
    assert process("preflight", "--manifests", "k8s", "pod.yaml", "--fail-on", "warning", "-q").code == 1


def test_a_file_that_is_named_may_be_another_only_where_that_is_said(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "values.yaml").write_text("replicas: 3\n", encoding="utf-8")
    (quiet_place / "policy.yaml").write_text(POLICY, encoding="utf-8")
    assert cli("preflight", "--manifests", "policy.yaml", "values.yaml").code == 2
    ended = cli("preflight", "--any-file", "--manifests", "policy.yaml", "values.yaml")
    assert (ended.code, ended.err) == (0, "eksnetpol: note: values.yaml: no Kubernetes objects, left out\n")


def test_broken_manifests_name_file_and_line(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "broken.yaml").write_text(f"{POLICY}---\nkind: {{oops\n", encoding="utf-8")
    ended = cli("preflight", "--manifests", "broken.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("eksnetpol: broken.yaml:")
    assert ended.err.count("\n") == 1
