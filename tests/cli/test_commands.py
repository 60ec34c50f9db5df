from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import yaml

import eksnetpol
from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.declare import Check
from eksnetpol.cli import answers, catalogue, look, outputs, summary
from eksnetpol.cli.commands.schema import NAMES
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError
from eksnetpol.gateways import permission_check, session
from eksnetpol.gateways.permission_check import PermissionAnswer
from eksnetpol.gateways.permits import Permissions, permissions_for
from eksnetpol.model.snapshot import SECTIONS, Target
from tests.cli.conftest import LOOKED, Ended, snapshot

Cli = Callable[..., Ended]
ROOT = Path(__file__).parents[2]


# --- version, schema --------------------------------------------------------------------------------------------------


def test_the_version_is_told_three_ways(cli: Cli) -> None:
    plain = f"eksnetpol {eksnetpol.__version__}\n"
    assert cli("--version").out == cli("version").out == plain
    assert f"boto3 {version('boto3')}" in cli("version", "-v").out
    assert json.loads(cli("version", "-o", "json").out)["version"] == eksnetpol.__version__


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(cli: Cli, name: str) -> None:
    made = json.loads(cli("schema", name).out)
    jsonschema.Draft202012Validator.check_schema(made)
    assert yaml.safe_load(cli("schema", name, "-o", "yaml").out) == made


def test_a_report_is_what_its_schema_says(cli: Cli, old: str) -> None:
    jsonschema.validate(json.loads(cli("preflight", "--snapshot", old, "-o", "json").out), json.loads(cli("schema").out))


# --- checks -----------------------------------------------------------------------------------------------------------


def test_every_check_is_listed_once(cli: Cli) -> None:
    listed = [check["id"] for check in json.loads(cli("checks", "list", "-o", "json").out)]
    assert listed == [check.id for check in catalog()]
    text = cli("checks", "list").out
    assert all(text.count(f" {name}") >= 1 for name in listed)


def test_the_list_can_be_narrowed(cli: Cli) -> None:
    some = json.loads(cli("checks", "list", "--family", "switches", "--for", "disable", "-o", "json").out)
    assert {c["family"] for c in some} <= {"switches"}
    assert all("disable" in c["intents"] for c in some)
    assert cli("checks", "list", "-o", "markdown", "--family", "switches").out.startswith("| check | family |")


@pytest.mark.parametrize("check", catalog(), ids=lambda c: c.id)
def test_every_check_can_be_explained(cli: Cli, check: Check) -> None:
    out = cli("checks", "explain", check.id).out
    assert out.startswith(f"{check.id}\n")
    assert f'check = "{check.id}"' in out
    assert f"waive.eksnetpol.io/{check.id}:" in out
    assert all(source in out or source.partition("#")[2] in out for source in check.sources)
    words = out.split()
    assert all(word in words for word in check.rationale.split())
    document = yaml.safe_load(cli("checks", "explain", check.id, "-o", "yaml").out)
    assert set(document["reads"]) == set(catalogue.sections(check))


def test_an_explanation_reads_as_it_did(cli: Cli, golden: Callable[[str, str], None]) -> None:
    golden("cli/explained.txt", cli("checks", "explain", "controller-switch-is-on", "--width", "80").out)


def test_every_section_names_the_permission_it_takes() -> None:
    assert [name for name in SECTIONS if not catalogue.permissions(name)] == []
    assert catalogue.permissions("nodes") == ("list nodes",)
    assert catalogue.permissions("cluster") == ("eks:DescribeCluster",)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("explain", "controller_switch"), "did you mean controller-switch-is-on"),
        (("explain", "zzzzz"), "`eksnetpol checks list` prints all of them"),
        (("explain",), "Missing argument 'ID'"),
        (("list", "--family", "swiches"), "did you mean switches?"),
        (("list", "--nonsense"), "No such option '--nonsense'"),
        (("lst",), "No such command 'lst'. Did you mean 'list'?"),
    ],
)
def test_what_there_is_not_is_one_sentence(cli: Cli, args: tuple[str, ...], words: str) -> None:
    ended = cli("checks", *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


# --- snapshot ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_shown_in_numbers(cli: Cli, saved: str) -> None:
    ended = cli("snapshot", "show", saved, "-o", "json")
    shown = json.loads(ended.out)
    assert (shown["title"], shown["taken_at"]) == ("shop", "2026-11-01T12:00:00Z")
    assert {s["name"] for s in shown["seen"]} == {"cluster", "server_version"}
    (nodes,) = (s for s in shown["unread"] if s["name"] == "nodes")
    assert (nodes["why"], nodes["permission"]) == ("denied", "list nodes")
    assert yaml.safe_load(cli("snapshot", "show", saved, "-o", "yaml").out)["seen"] == shown["seen"]


def test_a_shown_snapshot_reads_as_it_did(golden: Callable[[str, str], None]) -> None:
    found = summary.summary(snapshot(), LOOKED.replace(day=4))
    golden("cli/shown.txt", summary.render(found, "text", 80))
    golden("cli/shown.md", summary.render(found, "markdown", 80))


def test_an_age_is_never_negative() -> None:
    assert summary.summary(snapshot(), datetime(2020, 1, 1, tzinfo=UTC)).age == 0


@pytest.mark.parametrize("args", [("show", "absent.json"), ("redact", "absent.json", "x.json"), ("show", ".")], ids=" ".join)
def test_a_snapshot_that_is_not_there_is_one_line(cli: Cli, args: tuple[str, ...]) -> None:
    ended = cli("snapshot", *args)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"eksnetpol: {args[1]}: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("save", "absent/x.json"), "there is no directory 'absent'"),
        (("save", "."), "is a directory; name a file in it"),
        (("save", "x.json"), "no --cluster NAME --region REGION was given"),
        (("save",), "Missing argument 'FILE'"),
        (("redact", "shop.json.gz", "shop.json.gz"), "write the redacted one to another file"),
        (("redact", "shop.json.gz", "x.json", "--salt-file", "short"), "holds 5 bytes"),
        (("redact", "shop.json.gz", "x.json", "--salt-file", "absent"), "the salt cannot be read"),
        (("show", "shop.json.gz", "-o", "sarif"), "there is no format 'sarif'"),
        (("sav",), "Did you mean 'save'?"),
    ],
)
def test_a_wrong_word_is_one_sentence(cli: Cli, saved: str, quiet_place: Path, args: tuple[str, ...], words: str) -> None:
    (quiet_place / "short").write_text("short", encoding="utf-8")
    ended = cli("snapshot", *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert not (quiet_place / "x.json").exists()
    assert saved


def test_a_live_look_is_saved_and_said(cli: Cli, quiet_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "connect", lambda options: session.Connection(target=Target(cluster=options.cluster)))
    monkeypatch.setattr("eksnetpol.gateways.collect.collect", lambda *_: snapshot())
    ended = cli("snapshot", "save", "new.json.gz", "--cluster", "shop")
    assert (ended.code, ended.out) == (0, "")
    assert f"saved shop in new.json.gz: 2 of {len(SECTIONS)} sections" in ended.err
    assert stat.S_IMODE((quiet_place / "new.json.gz").stat().st_mode) == 0o600
    assert cli("snapshot", "show", "new.json.gz").code == 0


@pytest.mark.parametrize("name", ["ready", "retail-store-calico"])
def test_a_redacted_snapshot_answers_as_the_whole_one_and_names_nobody(cli: Cli, quiet_place: Path, name: str) -> None:
    whole = str(Path(__file__).parents[2] / "demo" / "clusters" / f"{name}.json.gz")

    def results(file: str) -> list[tuple[str, str]]:
        report = json.loads(cli("preflight", "--snapshot", file, "-o", "json").out)
        return sorted((r["id"], r["outcome"]) for r in report["results"])

    (quiet_place / "salt").write_bytes(b"0123456789abcdef")
    ended = cli("snapshot", "redact", whole, "shared.json", "--salt-file", "salt")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith("into shared.json; look through it before you share it\n")
    assert results("shared.json") == results(whole)
    target = json.loads(cli("snapshot", "show", whole, "-o", "json").out)["target"]
    assert target["cluster"] not in (quiet_place / "shared.json").read_text(encoding="utf-8")
    assert target["account"] not in (quiet_place / "shared.json").read_text(encoding="utf-8")
    cli("snapshot", "redact", whole, "again.json", "--salt-file", "salt")
    cli("snapshot", "redact", whole, "random.json")
    texts = [(quiet_place / f).read_bytes() for f in ("shared.json", "again.json", "random.json")]
    assert texts[0] == texts[1] != texts[2]


# --- permissions ------------------------------------------------------------------------------------------------------


def test_permissions_are_shown_as_documents_that_can_be_used(cli: Cli) -> None:
    policy = json.loads(cli("permissions", "show", "--iam-only", "--cluster", "shop", "--region", "eu-west-1").out)
    assert "eks:DescribeCluster" in {a for s in policy["Statement"] for a in s["Action"]}
    assert "arn:aws:eks:eu-west-1:${Account}:cluster/shop" in json.dumps(policy)
    role, binding = yaml.safe_load_all(cli("permissions", "show", "snapshot", "save", "--rbac-only", "--group", "readers").out)
    assert (role["kind"], binding["subjects"][0]["name"]) == ("ClusterRole", "readers")
    both = json.loads(cli("permissions", "show", "-o", "json").out)
    assert set(both) == {"iam", "rbac"}
    assert yaml.safe_load(cli("permissions", "show", "-o", "yaml").out) == both
    assert cli("permissions", "show").out.count("apiVersion:") == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("show", "preflght"), "did you mean 'preflight'?"),
        (("check", "checks", "list"), "there is no command 'checks list' that asks AWS or an API server"),
        (("show", "--iam-only", "--rbac-only"), "leave nothing to print"),
        (("check",), "no --cluster NAME --region REGION was given"),
        (("check", "--config", "absent.toml"), "there is no such file"),
        (("show", "--nonsense"), "No such option"),
    ],
)
def test_permissions_of_nothing_are_one_sentence(cli: Cli, args: tuple[str, ...], words: str) -> None:
    ended = cli("permissions", *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


@pytest.mark.parametrize(("last", "code"), [(True, 0), (None, 3), (False, 1)])
def test_the_exit_code_says_whether_something_is_missing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, last: bool | None, code: int
) -> None:
    def answer(_: object, needed: Permissions) -> tuple[PermissionAnswer, ...]:
        granted = [PermissionAnswer(p, allowed=True) for p in needed.iam]
        granted += [PermissionAnswer(p, allowed=True) for p in needed.rbac[1:]]
        return (*granted, PermissionAnswer(needed.rbac[0], last, "no RBAC rule grants it"))

    monkeypatch.setattr(session, "connect", lambda _: session.Connection(target=Target()))
    monkeypatch.setattr(permission_check, "check_permissions", answer)
    ended = cli("permissions", "check", "--cluster", "shop", "-o", "json")
    assert ended.code == code
    document = json.loads(ended.out)
    assert (document["permissions"][0]["answer"] == "granted") is (last is True)
    assert sum(document["counts"].values()) == len(document["permissions"])


def test_missing_permissions_come_first_and_are_named() -> None:
    needed = permissions_for("preflight")
    given = [PermissionAnswer(p, allowed=True) for p in needed.iam]
    given += [PermissionAnswer(needed.rbac[0], allowed=False, reason="no RBAC rule grants it")]
    given += [PermissionAnswer(needed.rbac[1], allowed=None, reason="the API server did not answer")]
    lines = answers.render(given, "preflight", "text", Terminal()).splitlines()
    assert lines[0] == f"preflight: {len(needed.iam)} granted, 1 missing, 1 unknown"
    assert lines[2:4] == ["missing: no RBAC rule grants it", f"  {needed.rbac[0]}"]
    assert lines[5:7] == ["unknown: the API server did not answer", f"  {needed.rbac[1]}"]
    assert "eks:DescribeCluster" in answers.render(given, "preflight", "text", Terminal(verbose=1))


# --- what is shared ---------------------------------------------------------------------------------------------------


def test_a_written_file_keeps_its_mode_and_a_link_stays_a_link(quiet_place: Path) -> None:
    real = quiet_place / "real.json"
    real.write_text("before", encoding="utf-8")
    real.chmod(0o604)
    link = quiet_place / "link.json"
    link.symlink_to(real)
    outputs.write("after", str(link))
    assert (link.is_symlink(), real.read_text(encoding="utf-8"), stat.S_IMODE(real.stat().st_mode)) == (True, "after", 0o604)


def test_a_write_that_fails_leaves_what_was_there(quiet_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = quiet_place / "report.json"
    file.write_text("before", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match=r"report\.json: cannot be written: No space left on device"):
        outputs.write("after", str(file))
    assert [p.read_text(encoding="utf-8") for p in quiet_place.iterdir()] == ["before"]


def test_no_input_leaves_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass
    import sys

    monkeypatch.setattr(getpass, "getpass", getpass.getpass)
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    look.refuse_input()
    with sys.stdin as nobody:
        assert nobody.read() == ""
    with pytest.raises(UsageError, match="Enter MFA code is asked for, and --no-input forbids"):
        getpass.getpass("Enter MFA code: ")


@pytest.mark.parametrize("name", eksnetpol.__all__)
def test_the_library_offers_what_it_names(name: str) -> None:
    assert getattr(eksnetpol, name) is not None
    assert name in dir(eksnetpol)


def test_the_stub_names_what_the_library_offers() -> None:
    stub = Path(eksnetpol.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    assert stub.partition("__all__ = ")[2].count('"') == 2 * len(eksnetpol.__all__)
    assert all(f'"{name}"' in stub for name in eksnetpol.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        eksnetpol.nonsense  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("command", ["run", "cleanup"])
def test_what_a_migration_needs_is_printed_as_it_is_shipped(cli: Cli, command: str) -> None:
    shown = cli("permissions", "show", "migrate", command, "--rbac-only").out
    assert shown == (ROOT / "templates" / "rbac" / "clusterrole-migrate.yaml").read_text()


@pytest.mark.parametrize("command", ["assess", "translate", "prove", "rehearse", "runbook", "status", "verify"])
def test_what_foresees_a_migration_needs_the_role_for_reading(cli: Cli, command: str) -> None:
    shown = cli("permissions", "show", "migrate", command, "--rbac-only").out
    assert shown == (ROOT / "templates" / "rbac" / "clusterrole-read.yaml").read_text()
