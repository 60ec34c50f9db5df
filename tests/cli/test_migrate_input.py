"""Bad input of ``eksnetpol migrate``: named in a few lines, with the right exit code, and never taken for no engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.snapshot import Seen, Unread, Why
from tests import builders
from tests.cli.conftest import Ended, environment
from tests.cli.test_migrate_translate import DB, SHOP
from tests.migration.test_assess import POLICY_ONLY, looked

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"


def policy(version: str, kind: str, spec: str = "{}") -> str:
    return f"{NAMESPACE}apiVersion: {version}\nkind: {kind}\nmetadata: {{name: db, namespace: shop}}\nspec: {spec}\n"


@pytest.fixture
def file(quiet_place: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (quiet_place / "p.yaml").write_text(text)
        return "p.yaml"

    return write


ODD = """app == "db" && tier in {"a", "b"} && has(some-label-with-a-name) && all( || team == "x\""""
LONG = f"{{types: [Ingress], selector: '{ODD}'}}"


def test_a_selector_that_does_not_parse_is_shown_with_a_caret(cli: Cli, file: Callable[[str], str], golden: Golden) -> None:
    """In a file it is refused by Calico's API; where it is stored all the same, nobody knows what it means."""
    refused = cli("migrate", "translate", "--manifests", file(policy("projectcalico.org/v3", "NetworkPolicy", LONG)))
    assert refused.code == 1
    stored = cli("migrate", "translate", "--manifests", file(policy("crd.projectcalico.org/v1", "NetworkPolicy", LONG)))
    assert stored.code == 1
    asked = cli("policy", "matrix", "--semantics", "calico", "--manifests", "p.yaml")
    pages = [ended.out.partition("\nWhat holds")[0] for ended in (refused, stored)]
    golden("migration/selector.txt", "\n".join([*pages, asked.err]))


UNKNOWN = [
    ("projectcalico.org/v9", "NetworkPolicy", "projectcalico.org/v9 is no version of the API that is known here"),
    ("projectcalico.org/v3", "FancyNetworkPolicy", "what a FancyNetworkPolicy means is not known here"),
    ("cilium.io/v3", "CiliumNetworkPolicy", "cilium.io/v3 CiliumNetworkPolicy is not known here"),
    ("isovalent.com/v1", "IsovalentNetworkPolicy", "isovalent.com/v1 IsovalentNetworkPolicy is not known here"),
    ("crd.antrea.io/v1beta9", "NetworkPolicy", "crd.antrea.io/v1beta9 is not known here"),
    ("policy.networking.k8s.io/v1", "ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2 alone is"),
    ("policy.networking.k8s.io/v1beta1", "AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1 alone is"),
]


@pytest.mark.parametrize(("version", "kind", "words"), UNKNOWN, ids=[f"{v} {k}" for v, k, _ in UNKNOWN])
def test_a_policy_of_an_unknown_version_or_kind(
    cli: Cli, file: Callable[[str], str], version: str, kind: str, words: str
) -> None:
    where = file(policy(version, kind, "{tier: Admin, priority: 5, subject: {namespaces: {}}}"))
    assessed = cli("migrate", "assess", "--manifests", where, "--width", "200")
    assert (assessed.code, assessed.out.partition(":")[0]) == (3, "UNKNOWN")
    assert words in assessed.out
    for command in ("translate", "prove"):
        ended = cli("migrate", command, "--manifests", where, "--width", "200")
        assert ended.code == 1
        assert f"apiVersion: none: it is not understood: {words.partition('/')[0]}" in ended.out or words in ended.out


@pytest.mark.parametrize("levels", [200, 900, 100_000])
@pytest.mark.parametrize(("version", "kind"), [(v, k) for v, k, _ in UNKNOWN if "Network" in k])
def test_a_policy_that_is_nested_too_deeply(cli: Cli, quiet_place: Path, version: str, kind: str, levels: int) -> None:
    """JSON may be as deep as it likes; of YAML the reader itself says so."""
    head = f'{{"apiVersion": "{version}", "kind": "{kind}", "metadata": {{"name": "p", "namespace": "shop"}}'
    (quiet_place / "p.json").write_text(f'{head}, "spec": {{"ingress": {"[" * levels}{"]" * levels}}}}}')
    ended = cli("migrate", "translate", "--manifests", "p.json", "--from", "calico")
    assert ended.code in {0, 1, 2}
    assert levels < 900 or "this is nested too deeply" in ended.err


@pytest.mark.parametrize("dialect", ["upstream", "calico"])
def test_an_unknown_member_of_an_upstream_policy(cli: Cli, file: Callable[[str], str], dialect: str) -> None:
    rule = "{action: Deny, from: [{namespaces: {}}], whenever: 5}"
    spec = f"{{tier: Admin, priority: 5, subject: {{namespaces: {{}}}}, ingress: [{rule}]}}"
    where = file(policy("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", spec))
    ended = cli("migrate", "translate", "--manifests", where, "--from", dialect, "--width", "200")
    assert ended.code == 1
    assert "spec.ingress[0].whenever: none: it is not understood: unknown field" in ended.out


def test_files_without_an_agent_show_nothing_about_a_cluster(cli: Cli, file: Callable[[str], str]) -> None:
    ended = cli("migrate", "assess", "--manifests", file(NAMESPACE), "--width", "200")
    assert ended.code == 3
    assert "no agent of an engine is in these files, which shows nothing about the cluster that they are for" in ended.out


@pytest.mark.parametrize(
    ("crd", "words"),
    [
        ({"name": "globalnetworkpolicies.crd.projectcalico.org", "established": False}, "it is not served"),
        ({"name": "isovalentnetworkpolicies.isovalent.com", "kind": "IsovalentNetworkPolicy"}, "means is not known here"),
    ],
    ids=["not-served", "unknown"],
)
def test_a_definition_whose_objects_nobody_can_list(cli: Cli, quiet_place: Path, crd: dict[str, object], words: str) -> None:
    found = Seen((msgspec.convert(builders.crd(crd), k8s.CustomResourceDefinition),))
    snapshot_file.save(replace(looked(), crds=found), quiet_place / "shop.json")
    ended = cli("migrate", "assess", "--snapshot", "shop.json", "--width", "200")
    assert (ended.code, ended.out.partition(":")[0]) == (3, "UNKNOWN")
    assert words in ended.out


@pytest.mark.parametrize("section", ["foreign_policies", "foreign_kinds", "crds", "api_services", "daemonsets", "nodes"])
def test_a_section_that_was_refused(cli: Cli, quiet_place: Path, section: str) -> None:
    refused = Unread("the server refuses: list is forbidden", Why.DENIED, "list x")
    found = {"foreign_kinds": Seen((k8s.KindCount("crd.projectcalico.org", "NetworkPolicy", "networkpolicies", 2),))}
    snapshot_file.save(replace(looked(POLICY_ONLY), **{**found, section: refused}), quiet_place / "shop.json")
    ended = cli("migrate", "assess", "--snapshot", "shop.json", "--width", "200")
    assert (ended.code, ended.out.partition(":")[0]) == (3, "UNKNOWN")
    assert "list is forbidden" in ended.out
    if section == "foreign_policies":
        translated = cli("migrate", "translate", "--snapshot", "shop.json")
        assert (translated.code, translated.out) == (3, "")
        assert "foreign policies could not be read, and no answer is right without them" in translated.err


def test_settings_of_cilium_that_were_refused(cli: Cli, quiet_place: Path) -> None:
    refused = Unread("configmaps is forbidden", Why.DENIED, "get configmaps")
    sections = {name: Seen(()) for name in ("pods", "namespaces", "services", "service_accounts")}
    agent = k8s.Workload(metadata=k8s.ObjectMeta("cilium", "kube-system"), kind="DaemonSet")
    found = replace(looked(), configmaps=refused, daemonsets=Seen((agent,)), **sections)
    snapshot_file.save(found, quiet_place / "shop.json")
    ended = cli("migrate", "assess", "--snapshot", "shop.json", "--width", "200")
    assert (ended.code, ended.out.partition(":")[0]) == (3, "UNKNOWN")
    assert "settings of Cilium: configmaps is forbidden" in ended.out
    translated = cli("migrate", "translate", "--snapshot", "shop.json")
    assert translated.code == 3
    assert "Cilium's settings could not be read, and no answer is right without them: configmaps is forbidden" in translated.err


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--manifests", "nowhere"), 2, "nowhere: there is no such file or directory"),
        (("--manifests", "empty"), 2, "no Kubernetes objects are here"),
        (("--manifests", "broken.yaml"), 2, "broken.yaml:2: this is not YAML"),
        (("--snapshot", "broken.yaml"), 2, "broken.yaml:1: this is not JSON"),
        (("--manifests", "broken.yaml", "-o", "xml"), 2, "there is no format 'xml'"),
        (("--bogus",), 2, "No such option"),
        (("--kubeconfig", "dead.yaml", "--request-timeout", "2s"), 3, "127.0.0.1:9"),
    ],
)
@pytest.mark.parametrize("command", ["assess", "translate", "prove"])
def test_what_cannot_be_looked_at(
    cli: Cli, quiet_place: Path, command: str, args: tuple[str, ...], code: int, words: str
) -> None:
    (quiet_place / "empty").mkdir()
    (quiet_place / "broken.yaml").write_text("a: [b\nc: }")
    (quiet_place / "dead.yaml").write_text(yaml.safe_dump(DEAD))
    ended = cli("migrate", command, *args)
    assert ended.code == code
    assert words in ended.err + ended.out
    assert "Traceback" not in ended.err


DEAD = {
    "apiVersion": "v1", "kind": "Config", "current-context": "dead",
    "clusters": [{"name": "dead", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "me"}}],
}  # fmt: skip


# --- the folder ---------------------------------------------------------------------------------------------------------


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def many(count: int) -> str:
    text = yaml.safe_load(DB)
    parts = [SHOP.removesuffix("---\n")]
    names = (f"db{number:03}" for number in range(count))
    parts += [yaml.safe_dump({**text, "metadata": {"name": name, "namespace": "shop"}}) for name in names]
    return "---\n".join(parts)


def test_the_same_again_changes_nothing_and_something_else_is_left_alone(
    cli: Cli, file: Callable[[str], str], quiet_place: Path
) -> None:
    args = ("migrate", "translate", "--manifests", file(SHOP + DB), "--out", "out")
    assert cli(*args).code == 0
    first = written(quiet_place / "out")
    assert cli(*args).code == 0
    assert written(quiet_place / "out") == first
    name = next(name for name in first if name.startswith("shop/"))
    (quiet_place / "out" / name).write_text("edited: by hand\n")
    ended = cli(*args)
    assert ended.code == 2
    assert f"out/{name}: holds something else than is to be written; nothing was written" in ended.err
    assert (quiet_place / "out" / name).read_text() == "edited: by hand\n"


@pytest.mark.parametrize("folder", ["p.yaml", "p.yaml/below", "/proc/nobody/here"])
def test_a_place_that_is_no_folder(cli: Cli, file: Callable[[str], str], folder: str) -> None:
    ended = cli("migrate", "translate", "--manifests", file(SHOP + DB), "--out", folder)
    assert ended.code == 2
    assert folder in ended.err
    assert ended.err.count("\n") == 1


def test_a_run_that_was_killed_is_gone_on_with(cli: Cli, file: Callable[[str], str], quiet_place: Path) -> None:
    """However far it came: what is there is whole, the kustomization is last, and the next run ends as one that nobody killed."""
    args = ("migrate", "translate", "--manifests", file(many(60)), "-o", "json=/dev/null", "--out")
    assert cli(*args, "whole").code == 0
    whole = written(quiet_place / "whole")
    out = quiet_place / "out"
    run = subprocess.Popen(
        [sys.executable, "-m", "eksnetpol", *args, "out"], cwd=quiet_place, env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while len(written(out)) < 3 and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    (out / "shop").mkdir(parents=True, exist_ok=True)
    name = next(name for name in whole if name.startswith("shop/")).removeprefix("shop/")
    (out / "shop" / f".{name}.a1b2c3d4").write_text("half a fi")
    there = {name: text for name, text in written(out).items() if not Path(name).name.startswith(".")}
    assert there.items() <= whole.items()
    assert "kustomization.yaml" not in there or len(there) == len(whole)
    assert cli(*args, "out").code == 0
    assert written(out) == whole
