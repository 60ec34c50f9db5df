"""``policy lint``: what it finds in files and snapshots, where it says that is, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.checks.catalog import catalog
from eksnetpol.gateways import snapshot_file
from eksnetpol.operations.lint import DEPENDENCIES, ELSEWHERE, FAMILY, is_lint, lint
from eksnetpol.operations.preflight import preflight
from tests.cli.conftest import Ended
from tests.cli.shop_files import k8s, saved_shop
from tests.testbed.cluster import ControlPlane, User

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

__all__ = ["k8s", "saved_shop"]

CLUSTERS = Path(__file__).parents[2] / "demo" / "clusters"
CLOSED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-out, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to:
    - podSelector: {matchLabels: {app: api}}
    ports: [{port: 8080}]
  - to:
    - podSelector: {matchLabels: {app: api}}
    - podSelector: {matchLabels: {app: apy}}
"""
MALFORMED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: odd, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from:
    - ipBlock: {cidr: 10.0.0.0/33}
"""
DEPENDS = """\
- {from: shop/web, to: shop/api, port: http}
- from: shop/web
  to: shop/db
  port: 5432
- name: the bank's web reads the db
  from: bank/web
  to: shop/db
  port: 5432
  protocol: TCP
"""


def settled(text: str) -> str:
    """Return *text* without the time of the look."""
    head, _, rest = text.partition("looked at ")
    return head + rest.partition(", ")[2] if rest else head


def test_findings_of_files_as_people_read_them(cli: Cli, k8s: str, quiet_place: Path, golden: Golden) -> None:
    (quiet_place / k8s / "closed.yaml").write_text(CLOSED, encoding="utf-8")
    ended = cli("policy", "lint", "--manifests", k8s)
    assert ended.code == 1
    assert ended.err.startswith("eksnetpol: exit code 1: 1 blocker")
    golden("cli/policy/lint.txt", settled(ended.out))


def test_each_finding_names_its_rule_and_the_line_of_it(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / k8s / "closed.yaml").write_text(CLOSED, encoding="utf-8")
    report = json.loads(cli("policy", "lint", "--manifests", k8s, "-o", "json").out)
    (found,) = (r for r in report["results"] if r["id"] == "peers-select-pods")
    (finding,) = found["findings"]
    assert finding["subject"]["text"] == "networkpolicy/shop/web-out"
    assert finding["message"].startswith("lets nobody through by egress[1].to[1]: ")
    assert (finding["origin"]["file"], finding["origin"]["line"]) == ("k8s/closed.yaml", 13)
    assert report["intent"] == "lint"


def test_a_finding_about_a_whole_policy_is_at_its_beginning(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / k8s / "closed.yaml").write_text(CLOSED, encoding="utf-8")
    sarif = json.loads(cli("policy", "lint", "--manifests", k8s, "-o", "sarif").out)
    (run,) = sarif["runs"]
    places = {r["ruleId"]: r["locations"][0]["physicalLocation"] for r in run["results"]}
    dns = places["dns-stays-reachable"]
    assert (dns["artifactLocation"]["uri"], dns["region"]["startLine"]) == ("k8s/closed.yaml", 1)


def test_sound_policies_end_with_zero(cli: Cli, k8s: str) -> None:
    ended = cli("policy", "lint", "--manifests", k8s)
    assert ended.code == 0
    assert cli("policy", "lint", "--manifests", k8s, "--fail-on", "warning").code == 0


def test_warnings_and_advice_fail_where_they_are_to(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / k8s / "closed.yaml").write_text(CLOSED, encoding="utf-8")
    here = ("policy", "lint", "--manifests", k8s, "--skip", "dns-*")
    assert cli(*here).code == 0
    assert cli(*here, "--fail-on", "warning").code == 1
    assert cli(*here, "--fail-on", "warning", "--skip", "peers-select-pods,equal-*").code == 0
    assert cli(*here, "--fail-on", "warning", "--exit-zero").code == 0


@pytest.mark.parametrize("form", ["text", "json", "yaml", "markdown", "junit", "sarif", "github", "html"])
def test_every_format_ends_with_the_same_exit_code(cli: Cli, k8s: str, quiet_place: Path, form: str) -> None:
    (quiet_place / k8s / "closed.yaml").write_text(CLOSED, encoding="utf-8")
    ended = cli("policy", "lint", "--manifests", k8s, "-o", form)
    assert ended.code == 1
    assert "dns-stays-reachable" in ended.out


def test_a_malformed_policy_is_a_finding_and_the_rest_is_looked_at(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / k8s / "odd.yaml").write_text(MALFORMED + "---\n" + CLOSED, encoding="utf-8")
    ended = cli("policy", "lint", "--manifests", k8s, "-o", "json")
    assert ended.code == 1
    found = {r["id"]: [f["message"] for f in r["findings"]] for r in json.loads(ended.out)["results"]}
    (message,) = found["policies-are-well-formed"]
    assert message.startswith("spec.ingress[0].from[0].ipBlock.cidr: ")
    assert found["dns-stays-reachable"]
    assert "k8s/odd.yaml:9" in cli("policy", "lint", "--manifests", k8s, "--width", "200").out
    assert cli("policy", "lint", "--manifests", k8s, "--strict-input").code == 2


def test_waivers_severities_and_a_baseline_have_their_say(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / k8s / "closed.yaml").write_text(CLOSED, encoding="utf-8")
    here = ("policy", "lint", "--manifests", k8s)
    cli(*here, "-o", "json=before.json")
    assert cli(*here, "--baseline", "before.json").code == 0
    settings = quiet_place / "eksnetpol.toml"
    settings.write_text('[severity]\ndns-stays-reachable = "warning"\n', encoding="utf-8")
    assert cli(*here).code == 0
    waiver = '[[waivers]]\ncheck = "dns-stays-reachable"\nobject = "networkpolicy/shop/*"\nreason = "addresses alone"\n'
    other = '[[waivers]]\ncheck = "controller-switch-is-on"\nobject = "*"\nreason = "of preflight"\n'
    settings.write_text(waiver + other, encoding="utf-8")
    ended = cli(*here)
    assert ended.code == 0
    assert "addresses alone" in ended.out
    assert "controller-switch-is-on" not in ended.out


def test_a_waiver_on_an_object_for_another_check_is_no_mistake(cli: Cli, k8s: str, quiet_place: Path) -> None:
    notes = 'annotations: {waive.eksnetpol.io/dns-stays-reachable: so, waive.eksnetpol.io/pods-have-owners: "of preflight"}'
    waived = CLOSED.replace("namespace: shop}", f"namespace: shop, {notes}}}")
    (quiet_place / k8s / "closed.yaml").write_text(waived, encoding="utf-8")
    ended = cli("policy", "lint", "--manifests", k8s)
    assert ended.code == 0
    assert "names no check" not in ended.out


def test_what_depends_on_each_other_is_held_to_both_sides(cli: Cli, k8s: str, quiet_place: Path, golden: Golden) -> None:
    (quiet_place / "depends.yaml").write_text(DEPENDS, encoding="utf-8")
    here = ("policy", "lint", "--manifests", k8s, "--dependencies", "depends.yaml", "--select", DEPENDENCIES.id)
    ended = cli(*here)
    assert ended.code == 0
    golden("cli/policy/lint-dependencies.txt", settled(ended.out))
    assert cli(*here, "--fail-on", "warning").code == 1


def test_dependencies_that_flow_pass(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / "depends.yaml").write_text("- {from: shop/web, to: shop/api, port: 8080}\n", encoding="utf-8")
    ended = cli("policy", "lint", "--manifests", k8s, "--dependencies", "depends.yaml", "--fail-on", "warning", "-v")
    assert ended.code == 0
    assert "1 of 1 dependencies flow" in ended.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from: shop/web\n", "this is no list"),
        ("- shop/web\n", "depends.yaml:1: this is no dependency"),
        ("- {from: shop/web}\n", "depends.yaml:1: the dependency has no 'to'"),
        ("- {from: shop/web, to: shop/api, prot: 80}\n", "there is no key 'prot'; did you mean 'port'?"),
        ("- {from: shop/web, to: shop/api, allow: true}\n", "there is no key 'allow'"),
        ("- {from: shop/web, to: shop/apy, port: 80}\n", "shop/apy"),
    ],
)
def test_a_file_of_dependencies_is_read_strictly(cli: Cli, k8s: str, quiet_place: Path, text: str, words: str) -> None:
    (quiet_place / "depends.yaml").write_text(text, encoding="utf-8")
    ended = cli("policy", "lint", "--manifests", k8s, "--dependencies", "depends.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--select", "dns-stay-reachable"), "did you mean dns-stays-reachable?"),
        (("--select", "controller-switch-is-on"), "leave no lint to ask"),
        (("--dependencies", "absent.yaml"), "absent.yaml: there is no such file"),
        (("--baseline", "absent.json"), "absent.json: the baseline cannot be read"),
    ],
)
def test_mistakes_end_with_two(cli: Cli, k8s: str, args: tuple[str, ...], words: str) -> None:
    ended = cli("policy", "lint", "--manifests", k8s, *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_every_check_about_policies_is_asked_and_no_other(cli: Cli, saved_shop: str) -> None:
    report = json.loads(cli("policy", "lint", "--snapshot", saved_shop, "-o", "json").out)
    asked = {r["id"] for r in report["results"]}
    assert asked == {c.id for c in catalog() if is_lint(c)}
    assert {c.id for c in catalog()} >= ELSEWHERE
    assert all(c.family != FAMILY for c in catalog() if c.id in ELSEWHERE)


@pytest.mark.parametrize("name", sorted(p.name for p in CLUSTERS.glob("*.gz")))
def test_lint_and_preflight_say_the_same_of_a_cluster(name: str) -> None:
    snapshot = snapshot_file.load(CLUSTERS / name)
    there = {r.id: r for r in preflight(snapshot).results}
    for result in lint(snapshot).results:
        if not there[result.id].reason.startswith("not asked for"):
            assert result == there[result.id]


@pytest.mark.testbed
def test_policies_of_a_live_cluster_as_its_api_server_keeps_them(
    process: Callable[..., Ended], control_plane: ControlPlane
) -> None:
    control_plane.apply(Path(__file__).parents[2] / "templates" / "rbac" / "clusterrole-read.yaml")
    bare = CLOSED.replace("web-out", "bare").replace("  policyTypes: [Egress]\n", "")
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: linted}\n"
    control_plane.apply(f"{namespace}---\n{CLOSED}---\n{bare}".replace("namespace: shop", "namespace: linted"))
    reader = str(control_plane.kubeconfig(User("reader", ("eksnetpol-read",))))
    ended = process("policy", "lint", "--kubeconfig", reader, "-o", "json", "--no-fail-on-unknown")
    results = {r["id"]: r for r in json.loads(ended.out)["results"]}
    assert ended.code in {0, 1}, ended.err
    # The API server writes the types that a file may leave out.
    assert results["policy-types-are-written"]["outcome"] == "passed"
    assert results["policies-are-well-formed"]["outcome"] == "passed"
    # There are no pods in this namespace.
    found = {f["subject"]["text"] for f in results["policies-select-pods"]["findings"]}
    assert found >= {"networkpolicy/linted/web-out", "networkpolicy/linted/bare"}
    assert not any(r["outcome"] == "errored" for r in results.values())
