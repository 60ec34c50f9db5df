"""``eksnetpol migrate`` and other semantics against a real API server: what may not be read is never taken for nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Ended
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane, User

pytestmark = pytest.mark.testbed

Cli = Callable[..., Ended]
Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "templates" / "rbac" / "clusterrole-read.yaml"
CALICO = ROOT / "tests" / "data" / "engines" / "calico" / "calico-policy-only.yaml"
SCENARIOS = ROOT / "tests" / "migration" / "scenarios"
RETAIL = ROOT / "tests" / "scenarios" / "retail-store-calico.yaml"
READER, PARTLY = User("reader", ("eksnetpol-read",)), User("partly", ("partly",))


@pytest.fixture(scope="module")
def plane(programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with Calico's definitions, agent and some policies; nobody runs the agent."""
    started = ControlPlane.start(tmp_path_factory.mktemp("plane"), programs=programs, users=(READER, PARTLY))
    started.apply(ROLE, CALICO)
    started.did("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in ("carts", "checkout", "orders"):
        started.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    started.apply(yaml.safe_load(RETAIL.read_text())["objects"])
    yield started
    started.stop()


@pytest.fixture
def ask(cli: Cli, plane: ControlPlane) -> Callable[..., Ended]:
    """Run a command as somebody who holds the shipped role."""
    access = str(plane.kubeconfig(READER))
    return lambda *args, user=access: cli(*args, "--kubeconfig", user, "--width", "200")


def without(plane: ControlPlane, group: str, resource: str = "") -> str:
    """Return the access of somebody who holds the shipped role but for one group, or one resource of it."""
    role, binding = yaml.safe_load_all(ROLE.read_text())
    for rule in role["rules"]:
        if group in rule.get("apiGroups", ()):
            rule["resources"] = [r for r in rule["resources"] if resource and r != resource]
    role["rules"] = [r for r in role["rules"] if r.get("resources") or r.get("nonResourceURLs")]
    role["metadata"]["name"] = binding["metadata"]["name"] = binding["roleRef"]["name"] = "partly"
    binding["subjects"] = [{"kind": "Group", "name": "partly", "apiGroup": "rbac.authorization.k8s.io"}]
    plane.apply(role, binding)
    return str(plane.kubeconfig(PARTLY))


@contextmanager
def there(plane: ControlPlane, *objects: Json) -> Iterator[None]:
    """Have objects on the server for a while."""
    plane.apply(*objects)
    try:
        yield
    finally:
        for one in reversed(objects):
            plane.did("delete", "--now", "-f", "-", stdin=json.dumps(one))


def test_a_live_cluster_and_its_snapshot_answer_alike(ask: Callable[..., Ended], cli: Cli, quiet_place: Path) -> None:
    assert ask("snapshot", "save", "here.json.gz").code == 0
    for command, code in (("assess", 0), ("translate", 1), ("prove", 0)):
        live = ask("migrate", command, "-o", "json")
        replayed = cli("migrate", command, "--snapshot", "here.json.gz", "-o", "json", "--width", "200")
        assert live.code == replayed.code == code, live.err
        assert json.loads(live.out) == json.loads(replayed.out)
    assert ask("migrate", "translate", "--out", "live").code == 1
    assert cli("migrate", "translate", "--snapshot", "here.json.gz", "--out", "live").code == 1
    assert (quiet_place / "live" / "kustomization.yaml").exists()


@pytest.mark.parametrize("command", ["status", "verify"])
def test_where_a_migration_stands_is_told_to_whoever_may_read(ask: Callable[..., Ended], cli: Cli, command: str) -> None:
    assert ask("snapshot", "save", f"{command}.json.gz").code == 0
    live = ask("migrate", command)
    replayed = cli("migrate", command, "--snapshot", f"{command}.json.gz", "--width", "200")
    assert (live.code, live.out.count("\n")) == (replayed.code, replayed.out.count("\n")), live.err
    assert "forbidden" not in live.out + live.err


def test_translated_policies_are_ones_the_server_takes(ask: Callable[..., Ended], plane: ControlPlane, quiet_place: Path) -> None:
    ask("migrate", "translate", "--out", "out")
    said = plane.did("apply", "--dry-run=server", "-k", str(quiet_place / "out"))
    assert said.count("networkpolicy.networking.k8s.io/") == sum(1 for _ in (quiet_place / "out").rglob("*/*.yaml"))


def test_what_every_construct_becomes_is_taken_too(plane: ControlPlane) -> None:
    written = [d for file in sorted(SCENARIOS.glob("*/expected.yaml")) for d in yaml.safe_load_all(file.read_text()) if d]
    spaces = sorted({one["metadata"]["namespace"] for one in written})
    plane.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in spaces))
    for number, one in enumerate(written):
        # Folders are about different clusters, in which objects may have the same names.
        one["metadata"]["name"] = f"p{number}"
    said = plane.did("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(written))
    assert said.count("created (server dry run)") == len(written) > 200


def test_policies_that_may_not_be_listed_leave_the_answer_open(ask: Callable[..., Ended], plane: ControlPlane) -> None:
    user = without(plane, "crd.projectcalico.org")
    assessed = ask("migrate", "assess", user=user)
    assert (assessed.code, assessed.out.partition(":")[0]) == (3, "UNKNOWN")
    assert "no other policy engine" not in assessed.out
    assert "projectcalico.org" in assessed.out
    for command in ("translate", "prove"):
        ended = ask("migrate", command, user=user)
        assert (ended.code, ended.out) == (3, "")
        assert "could not be read, and no answer is right without them" in ended.err


def test_an_api_that_does_not_answer_leaves_the_answer_open(ask: Callable[..., Ended], plane: ControlPlane) -> None:
    service = {"name": "calico-api", "namespace": "calico-apiserver"}
    api = {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v3.projectcalico.org"},
        "spec": {"group": "projectcalico.org", "version": "v3", "service": service, "groupPriorityMinimum": 1500,
                 "versionPriority": 200, "insecureSkipTLSVerify": True},
    }  # fmt: skip
    with there(plane, api):
        deadline = time.monotonic() + 30
        while "False" not in str(plane.get("apiservice", "v3.projectcalico.org").get("status")) and time.monotonic() < deadline:
            time.sleep(0.2)
        ended = ask("migrate", "assess")
        assert (ended.code, ended.out.partition(":")[0]) == (3, "UNKNOWN")
        assert "apiservice/v3.projectcalico.org: it does not answer" in ended.out


def definition(plural: str, kind: str, version: str, *, served: bool = True) -> Json:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": version, "served": served, "storage": True, "schema": schema}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.cilium.io"},
        "spec": {"group": "cilium.io", "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": versions},
    }  # fmt: skip


def test_a_definition_whose_objects_cannot_be_listed(ask: Callable[..., Ended], plane: ControlPlane) -> None:
    with there(plane, definition("ciliumnetworkpolicies", "CiliumNetworkPolicy", "v2", served=False)):
        ended = ask("migrate", "assess")
        assert (ended.code, ended.out.partition(":")[0]) == (3, "UNKNOWN")
        assert "customresourcedefinition/ciliumnetworkpolicies.cilium.io: it is not served" in ended.out


def test_policies_of_a_version_that_is_not_known(ask: Callable[..., Ended], plane: ControlPlane) -> None:
    with there(plane, definition("ciliumnetworkpolicies", "CiliumNetworkPolicy", "v3")):
        plane.did("wait", "--for=condition=Established", "crd/ciliumnetworkpolicies.cilium.io", "--timeout=30s")
        meta = {"name": "new", "namespace": "carts"}
        plane.apply({"apiVersion": "cilium.io/v3", "kind": "CiliumNetworkPolicy", "metadata": meta, "spec": {}})
        ended = ask("migrate", "assess")
        assert (ended.code, ended.out.partition(":")[0]) == (3, "UNKNOWN")
        assert "ciliumnetworkpolicy/carts/new: cilium.io/v3 CiliumNetworkPolicy is not known here" in ended.out


def test_files_and_a_cluster_at_once_are_two_things(ask: Callable[..., Ended], quiet_place: Path) -> None:
    (quiet_place / "p.yaml").write_text(yaml.safe_load(RETAIL.read_text())["objects"])
    ended = ask("migrate", "translate", "--manifests", "p.yaml")
    assert ended.code == 2
    assert "--manifests and --kubeconfig mean different things" in ended.err


# --- Cilium's settings ----------------------------------------------------------------------------------------------------

POD: Json = {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]}


def agent(image: str = "quay.io/cilium/cilium:v1.18.2") -> Json:
    template = {
        "metadata": {"labels": {"k8s-app": "cilium"}},
        "spec": {"containers": [{"name": "cilium-agent", "image": image}]},
    }
    spec = {"selector": {"matchLabels": {"k8s-app": "cilium"}}, "template": template}
    meta = {"name": "cilium", "namespace": "kube-system"}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": spec}


def config(**data: str) -> Json:
    meta = {"name": "cilium-config", "namespace": "kube-system"}
    settings = {key.replace("_", "-"): value for key, value in data.items()} | {"cni-chaining-mode": "aws-cni"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": settings}


@pytest.fixture
def pods(plane: ControlPlane) -> Iterator[None]:
    made = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": n, "namespace": "orders", "labels": {"app": n}}, "spec": POD}
        for n in ("a", "b")
    ]
    plane.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "orders"}})
    with there(plane, *made):
        for number, name in enumerate(("a", "b"), 11):
            status = {"status": {"phase": "Running", "podIP": f"10.0.0.{number}", "podIPs": [{"ip": f"10.0.0.{number}"}]}}
            plane.did("patch", "pod", name, "-n", "orders", "--subresource=status", "--type=merge", "-p", json.dumps(status))
        yield


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("settings", "code"),
    [({"enable_policy": "always"}, 1), ({"enable_policy": "always", "policy_audit_mode": "true"}, 0)],
    ids=["always", "audit"],
)
def test_settings_are_read_from_the_cluster_its_snapshot_and_files(
    ask: Callable[..., Ended], cli: Cli, plane: ControlPlane, quiet_place: Path, settings: dict[str, str], code: int
) -> None:
    """No policy selects the pods: with *always* nothing flows, and where denials are only logged all does."""
    asked = ("policy", "reach", "orders/a", "orders/b", "80", "--semantics", "cilium")
    with there(plane, agent(), config(**settings)):
        live = ask(*asked)
        assert live.code == code, live.err
        assert ask("snapshot", "save", "here.json.gz").code == 0
        assert cli(*asked, "--snapshot", "here.json.gz").code == code
        pods = plane.did("get", "pods", "-n", "orders", "-o", "yaml")
    (quiet_place / "pods.yaml").write_text(pods)
    (quiet_place / "config.yaml").write_text(yaml.safe_dump(config(**settings)))
    assert cli(*asked, "--manifests", "pods.yaml", "config.yaml").code == code


@pytest.mark.usefixtures("pods")
def test_settings_that_may_not_be_read_leave_every_answer_open(ask: Callable[..., Ended], plane: ControlPlane) -> None:
    user = without(plane, "", "configmaps")
    with there(plane, agent(), config(enable_policy="always")):
        reach = ask("policy", "reach", "orders/a", "orders/b", "80", "--semantics", "cilium", user=user)
        assert "configmap/kube-system/cilium-config is not understood" in reach.err
        assert "no answer is certain" in " ".join(reach.out.split())
        ended = ask("migrate", "translate", "--from", "cilium", user=user)
        assert (ended.code, ended.out) == (3, "")
        assert "Cilium's settings could not be read, and no answer is right without them" in ended.err
        assessed = ask("migrate", "assess", user=user)
        assert "settings of Cilium: " in assessed.out
