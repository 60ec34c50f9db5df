"""Policies of another engine at the command line: translated into files, explained, proven, and refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.cli.conftest import Ended

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {env: prod}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: a, image: b, ports: [{containerPort: 8080, name: http}]}]}
status: {podIP: 10.0.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: a, image: b, ports: [{containerPort: 5432}]}]}
status: {podIP: 10.0.0.2, phase: Running}
---
"""
DB = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  selector: app == 'db'
  types: [Ingress]
  ingress:
  - {action: Deny, protocol: TCP, source: {selector: "legacy == 'true'"}}
  - {action: Allow, protocol: TCP, source: {selector: "app in {'web','api'}"}, destination: {ports: [5432]}}
"""


@pytest.fixture
def shop(quiet_place: Path) -> Callable[[str], str]:
    """The shop with some policies, as a file."""

    def write(policies: str) -> str:
        (quiet_place / "shop.yaml").write_text(SHOP + policies)
        return "shop.yaml"

    return write


def test_deny_before_allow_is_compiled_away_exactly(cli: Cli, shop: Callable[[str], str], quiet_place: Path) -> None:
    ended = cli("migrate", "translate", "--manifests", shop(DB), "--out", "out")
    assert ended.code == 0, ended.err
    assert "1 exact" in ended.out
    (written,) = (quiet_place / "out" / "shop").iterdir()
    policy = yaml.safe_load(written.read_text())
    (peer,) = policy["spec"]["ingress"][0]["from"]
    assert {e["key"]: (e["operator"], e["values"]) for e in peer["podSelector"]["matchExpressions"]} == {
        "app": ("In", ["api", "web"]), "legacy": ("NotIn", ["true"]),
    }  # fmt: skip
    assert policy["metadata"]["annotations"]["eksnetpol.io/origin"].endswith("shop/db")
    assert yaml.safe_load((quiet_place / "out" / "kustomization.yaml").read_text())["resources"] == [f"shop/{written.name}"]


def test_what_people_and_programs_see(cli: Cli, shop: Callable[[str], str], golden: Golden) -> None:
    file = shop(DB)
    golden("migration/translate.txt", cli("migrate", "translate", "--manifests", file, "-v", "--width", "100").out)
    golden("migration/translate.explain.md", cli("migrate", "translate", "--manifests", file, "--explain", "-o", "markdown").out)
    told = json.loads(cli("migrate", "translate", "--manifests", file, "-o", "json").out)
    assert (told["kind"], told["dialect"], told["exitCode"]) == ("Translation", "calico", 0)
    assert {j["verdict"] for j in told["judged"]} == {"exact"}


def test_a_folder_with_something_in_it_is_left_alone(cli: Cli, shop: Callable[[str], str], quiet_place: Path) -> None:
    (quiet_place / "out").mkdir()
    (quiet_place / "out" / "mine.yaml").write_text("a: b")
    ended = cli("migrate", "translate", "--manifests", shop(DB), "--out", "out")
    assert ended.code == 2
    assert [p.name for p in (quiet_place / "out").iterdir()] == ["mine.yaml"]


def test_a_field_that_nobody_knows_refuses_its_policy(cli: Cli, shop: Callable[[str], str], quiet_place: Path) -> None:
    ended = cli("migrate", "translate", "--manifests", shop(DB.replace("types:", "surprise: 1\n  types:")), "--out", "out")
    assert ended.code == 1
    assert "surprise" in ended.out
    assert not (quiet_place / "out").exists()


def test_nothing_flows_that_did_not(cli: Cli, shop: Callable[[str], str]) -> None:
    ended = cli("migrate", "prove", "--manifests", shop(DB))
    assert ended.code == 0
    assert ended.out.startswith("Nothing flows afterwards that did not")


MASKED = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: no-legacy}
spec:
  order: 10
  selector: app == 'db'
  types: [Ingress]
  ingress:
  - {action: Deny, source: {selector: "app == 'web'"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
"""
WAIVER = """
[[migration-waivers]]
policy = "networkpolicy/shop/db"
owner = "shop team"
reason = "web speaks to db again"
expires = {0}

[[migration-waivers]]
policy = "globalnetworkpolicy/no-legacy"
owner = "shop team"
reason = "web speaks to db again"
expires = {0}
"""


def test_what_lets_more_through_is_refused_until_somebody_takes_it_on(
    cli: Cli, shop: Callable[[str], str], quiet_place: Path, golden: Golden
) -> None:
    file = shop(MASKED)
    ended = cli("migrate", "translate", "--manifests", file, "--out", "out")
    assert ended.code == 1
    page = cli("migrate", "translate", "--manifests", file, "--width", "100").out
    golden("migration/translate.looser.txt", page.partition("\nWhat holds")[0])
    assert not (quiet_place / "out").exists()
    assert cli("migrate", "prove", "--manifests", file).out.startswith("Something would flow afterwards")
    (quiet_place / "eksnetpol.toml").write_text(WAIVER.format("2999-12-31"))
    ended = cli("migrate", "translate", "--manifests", file, "--out", "out", "--width", "150")
    assert ended.code == 0
    assert "! networkpolicy/shop/db: taken on by shop team until 2999-12-31: web speaks to db again" in ended.out
    assert (quiet_place / "out" / "kustomization.yaml").exists()
    told = json.loads(cli("migrate", "translate", "--manifests", file, "-o", "json").out)
    one = {"what": "networkpolicy/shop/db", "owner": "shop team", "until": "2999-12-31", "reason": "web speaks to db again"}
    assert sorted(told["accepted"], key=lambda a: a["what"]) == [one | {"what": "globalnetworkpolicy/no-legacy"}, one]
    proved = cli("migrate", "prove", "--manifests", file)
    assert (proved.code, proved.out.partition(",")[0]) == (0, "Nothing flows afterwards that did not")
    assert "but for what was taken on by name" in proved.out


def test_a_waiver_in_the_file_that_has_expired_waives_nothing(cli: Cli, shop: Callable[[str], str], quiet_place: Path) -> None:
    (quiet_place / "eksnetpol.toml").write_text(WAIVER.format("2020-01-31"))
    ended = cli("migrate", "translate", "--manifests", shop(MASKED), "--width", "200")
    assert ended.code == 1
    assert "the waiver of networkpolicy/shop/db by shop team expired on 2020-01-31 and no longer waives anything" in ended.out


def test_documents_are_what_their_schemas_say(cli: Cli, shop: Callable[[str], str]) -> None:
    file = shop(MASKED)
    waived = ("--waive", "networkpolicy/shop/db=ada,2999-12-31,seen")
    for command, name in (("translate", "translation"), ("prove", "proof")):
        schema = json.loads(cli("schema", name).out)
        for extra in ((), waived, ("--symbolic",) if command == "prove" else ()):
            told = json.loads(cli("migrate", command, "--manifests", file, "-o", "json", *extra).out)
            jsonschema.validate(told, schema)
            assert set(told) == set(schema["$defs"][schema["$ref"].rpartition("/")[2]]["required"])


def test_for_all_pods_that_could_ever_exist(cli: Cli, shop: Callable[[str], str]) -> None:
    ended = cli("migrate", "prove", "--symbolic", "--manifests", shop(DB))
    assert ended.code == 0
    assert "Proven: for no pod that could ever exist" in ended.out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--waive", "networkpolicy/shop/db"), 2, "write POLICY=OWNER,YYYY-MM-DD,REASON"),
        (("--waive", "networkpolicy/shop/db=ada,2020-01-31,seen"), 6, "has expired on 2020-01-31"),
        (("--waive", "networkpolicy/shop/db=ada,2020-13-31,seen"), 2, "month must be in 1..12"),
        (("--waive", "networkpolicy/shop/dv=ada,2999-12-31,seen"), 2, "did you mean networkpolicy.projectcalico.org/shop/db?"),
        (("--from", "nobody"), 2, "nobody"),
    ],
)
def test_bad_words_are_one_line(cli: Cli, shop: Callable[[str], str], args: tuple[str, ...], code: int, words: str) -> None:
    ended = cli("migrate", "translate", "--manifests", shop(DB), *args)
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_files_without_any_engines_policies(cli: Cli, shop: Callable[[str], str]) -> None:
    ended = cli("migrate", "translate", "--manifests", shop(""))
    assert ended.code == 2
    assert "--from names whose policies these are" in ended.err


def test_a_selector_that_does_not_parse_is_shown_with_its_place(cli: Cli, shop: Callable[[str], str]) -> None:
    ended = cli("migrate", "translate", "--manifests", shop(DB.replace("app == 'db'", "app = 'db'")))
    assert "app = 'db'" in ended.out
    assert "^" in ended.out


def test_how_it_proceeds_is_told_on_stderr_at_v_alone(cli: Cli, shop: Callable[[str], str]) -> None:
    file = shop(DB)
    for command in ("translate", "prove"):
        told = cli("migrate", command, "--manifests", file, "-v").err.splitlines()
        stages = ["eksnetpol: translating namespaces", "eksnetpol: comparing before and after"]
        assert [line for line in told if line in stages] == stages
        for words in ((), ("-q",)):
            ended = cli("migrate", command, "--manifests", file, *words)
            assert "translating" not in ended.err + ended.out
