"""The gateways against a real API server, real RBAC, real EKS tokens and AWS over HTTP."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eksnetpol.errors import GuardRefused, NotFound, Unauthenticated
from eksnetpol.gateways import kubernetes_lists, permits
from eksnetpol.gateways.aws import Aws as AwsCalls
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.eks_token import EksToken
from eksnetpol.gateways.kubernetes import KubernetesApi
from eksnetpol.gateways.permission_check import check_permissions, principal_of
from eksnetpol.gateways.permits import IamPermission, RbacPermission, permissions_for
from eksnetpol.gateways.sections import readers
from eksnetpol.gateways.session import Connection, connect
from eksnetpol.interfaces import SilentObserver
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Seen, Unread, Why, unread_sections
from tests.gateways.live import CLUSTER, Live, live_cluster, rendered, without
from tests.testbed.aws import Aws
from tests.testbed.build import Components
from tests.testbed.eks_endpoint import Fault
from tests.testbed.pki import Authority

pytestmark = pytest.mark.testbed

KUBERNETES = tuple(name for name in SECTIONS if readers()[name].door == "kubernetes")
NOT_IN_MOTO = {"log_permissions"}
"""Sections that need iam:SimulatePrincipalPolicy, which moto does not have."""


NAMING_SERVICES = (
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "ledger", "namespace": "default"},
        "spec": {"ports": [{"port": 5432}]},
    },
    {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default.api", "namespace": "default"},
        "spec": {"types": ["Egress"], "egress": [{"action": "Allow", "destination": {"services": {"name": "kubernetes"}}}]},
    },
)
"""A policy of another engine that names a Service, so that what is behind those without a selector is asked for."""


@pytest.fixture(scope="module")
def cluster(programs: Components, moto: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_cluster(tmp_path_factory.mktemp("live"), programs, moto) as live:
        live.plane.apply(*NAMING_SERVICES)
        yield live


@pytest.fixture
def live(cluster: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    before = cluster.eks.eks
    yield cluster
    cluster.eks.eks = before
    cluster.eks.faults.clear()
    cluster.authenticator.clock = lambda: datetime.now(UTC)


def look(connection: Connection, *sections: str) -> ClusterSnapshot:
    return collect(connection, SilentObserver(), sections=sections or None)


def seen(section: Any) -> Any:
    assert isinstance(section, Seen), section
    return section.value


# --- with the shipped role, through a token that is really verified -----------------------------------------------------


def test_the_shipped_role_is_enough_to_see_everything(live: Live) -> None:
    connection = connect(live.options())
    assert connection.kubernetes_problem is None
    assert connection.target.server == live.plane.url
    snapshot = look(connection, *(set(SECTIONS) - NOT_IN_MOTO))
    assert {s.name: s.unread for s in unread_sections(snapshot) if s.unread.why is not Why.NOT_ASKED} == {}
    assert live.authenticator.refused == []
    assert seen(snapshot.cluster).name == CLUSTER
    assert seen(snapshot.addon) is None
    assert {n.name for n in seen(snapshot.nodes)} == {f"ip-10-42-2-{n}.us-west-2.compute.internal" for n in (10, 11, 12)}
    aws_node = next(d for d in seen(snapshot.daemonsets) if d.name == "aws-node")
    agent = aws_node.container("aws-eks-nodeagent")
    assert "--enable-network-policy=false" in agent.args
    assert {e.name: e.value for e in aws_node.container("aws-node").env}["ENABLE_POD_ENI"] == "false"
    assert [c.metadata.name for c in seen(snapshot.configmaps)][:1] == ["amazon-vpc-cni"]
    assert {r.metadata.name for r in seen(snapshot.cluster_roles)} == {"aws-node", "eks:network-policy-controller"}
    access = {(a.verb, a.resource or a.path): a.allowed for a in seen(snapshot.agent_access)}
    assert access[("list", "policyendpoints")] is True
    assert access[("patch", "pods")] is False
    assert "allow-catalog-ingress-db" in {p.name for p in seen(snapshot.network_policies)}
    assert {i.metadata_options.http_tokens for i in seen(snapshot.instances)} == {"required"}
    assert len(seen(snapshot.instances)) == len(seen(snapshot.nodes))
    assert seen(snapshot.vpc).cidrs[0] == "192.168.0.0/16"
    assert seen(snapshot.policy_endpoints) == ()
    counted = {(k.group, k.plural): k.count for k in seen(snapshot.foreign_kinds)}
    assert counted[("crd.projectcalico.org", "globalnetworkpolicies")] == 3
    (slice_,) = seen(snapshot.api_server_endpoints)
    assert slice_.endpoints[0].addresses
    behind = {one.service: one for one in seen(snapshot.endpoint_slices)}
    assert set(behind) == {("default", "kubernetes"), ("default", "ledger")}
    assert behind["default", "kubernetes"].endpoints == slice_.endpoints
    assert [(p.name, p.protocol) for p in behind["default", "kubernetes"].ports] == [("https", "TCP")]
    assert behind["default", "ledger"].endpoints == ()
    own = [c for c in seen(snapshot.crds) if c.spec.group == "networking.k8s.aws"]
    assert len(own) == 4
    assert all(c.is_established and len(c.spec.schema_digest) == 64 for c in own)


def test_a_reader_sees_what_an_administrator_sees(live: Live) -> None:
    mine, theirs = look(connect(live.options()), *KUBERNETES), look(connect(live.as_admin()), *KUBERNETES)
    assert {name: getattr(mine, name) for name in KUBERNETES} == {name: getattr(theirs, name) for name in KUBERNETES}


def test_small_pages_give_the_same_list(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(live.options())
    whole = look(connection, *KUBERNETES)
    monkeypatch.setattr(kubernetes_lists, "PAGE", 2)
    assert {n: getattr(look(connection, n), n) for n in ("crds", "services", "network_policies")} == {
        n: getattr(whole, n) for n in ("crds", "services", "network_policies")
    }


def test_a_refused_token_is_renewed_on_the_way(live: Live) -> None:
    connection = connect(live.options())
    assert isinstance(connection.kubernetes, KubernetesApi)
    token = connection.kubernetes.api.credentials
    assert isinstance(token, EksToken)
    token._token = "k8s-aws-v1.gibberish"  # noqa: SLF001 - as if it had been revoked
    assert len(connection.kubernetes.nodes()) == 3
    assert token.headers()["Authorization"].startswith("Bearer k8s-aws-v1.")
    assert live.authenticator.refused[-1].startswith("the token cannot be decoded")
    live.authenticator.refused.clear()


# --- with one verb less -------------------------------------------------------------------------------------------------


def _served_groups(live: Live) -> set[tuple[str, str]]:
    found = look(connect(live.as_admin()), "crds").crds
    return {(crd.spec.group, crd.spec.names.plural) for crd in seen(found)}


def _section_of(need: permits.Need) -> str:
    return need.verb.rsplit(".", 1)[-1]


def _without_each(live: Live) -> dict[str, tuple[RbacPermission, set[str]]]:
    """Return, by the name of a group that lacks it, each permission and the sections that must be unread then."""
    custom = _served_groups(live)
    cases = {}
    for number, permission in enumerate(p for p in permissions_for("preflight").rbac if not p.path):
        is_custom = not permission.group.endswith("k8s.io") and "." in permission.group
        if is_custom and (permission.group, permission.resource) not in custom:
            continue
        unread = {_section_of(n) for n in permits.table() if permission in n.permissions} & set(SECTIONS)
        for name in KUBERNETES:
            # Sections stand behind those that they build on.
            unread |= {name} if unread & set(readers()[name].after) else set()
        if "policy.networking.k8s.io" not in permission.group:
            cases[f"lacks-{number}"] = (permission, unread)
    return cases


def test_whoever_lacks_one_verb_misses_exactly_what_it_reads(live: Live) -> None:
    cases = _without_each(live)
    assert len(cases) > 35
    live.plane.apply(*(d for name, (permission, _) in cases.items() for d in rendered(without(permission), name)))
    last = KubernetesApi(_impersonating(live, list(cases)[-1]))
    _until(lambda: last.may("list", "nodes"))
    for name, (permission, unread) in cases.items():
        snapshot = look(connect(live.as_admin(as_user=name, as_groups=(name,))), *KUBERNETES)
        missed = {s.name: s.unread for s in unread_sections(snapshot) if s.unread.why is not Why.NOT_ASKED}
        assert set(missed) == unread, permission
        assert {s.permission for s in missed.values()} == {str(permission)}
        assert {s.why for s in missed.values()} == {Why.DENIED}


def _impersonating(live: Live, name: str) -> Any:
    connection = connect(live.as_admin(as_user=name, as_groups=(name,)))
    assert isinstance(connection.kubernetes, KubernetesApi)
    return connection.kubernetes.api


def _until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_asking_first_names_the_same_missing_verb(live: Live) -> None:
    permission = next(p for p in permissions_for("preflight").rbac if str(p) == "list networkpolicies.networking.k8s.io")
    live.plane.apply(*rendered(without(permission), "asks-first"))
    connection = connect(live.as_admin(as_user="asks-first", as_groups=("asks-first",)))
    assert connection.kubernetes is not None
    kubernetes = connection.kubernetes
    _until(lambda: kubernetes.may("list", "nodes"))
    answers = check_permissions(connection, permissions_for("preflight"))
    rbac = [a for a in answers if isinstance(a.permission, RbacPermission)]
    assert [a.permission for a in rbac if a.allowed is not True] == [permission]
    assert {a.allowed for a in answers if isinstance(a.permission, IamPermission)} == {None}


def test_iam_that_cannot_simulate_is_unknown_and_not_granted(live: Live) -> None:
    answers = check_permissions(connect(live.options()), permissions_for("preflight"))
    iam = [a for a in answers if isinstance(a.permission, IamPermission)]
    assert {a.allowed for a in iam} == {None}
    assert all("iam:SimulatePrincipalPolicy" in a.reason for a in iam)
    assert {a.allowed for a in answers if isinstance(a.permission, RbacPermission)} == {True}


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:sts::123456789012:assumed-role/auditor/session", "arn:aws:iam::123456789012:role/auditor"),
        (
            "arn:aws-cn:sts::123456789012:assumed-role/AWSReservedSSO_Ops_0123/jo@corp",
            "arn:aws-cn:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0123",
        ),
        ("arn:aws:iam::123456789012:user/jo", "arn:aws:iam::123456789012:user/jo"),
    ],
)
def test_whom_iam_is_asked_about(caller: str, principal: str) -> None:
    assert principal_of(caller) == principal


# --- nothing is asked that is not in the table ------------------------------------------------------------------------


class _Overheard:
    """A pool that writes down what goes through."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.requests: list[tuple[str, str]] = []

    def request(self, method: str, url: str, **more: Any) -> Any:
        self.requests.append((method, url))
        return self.pool.request(method, url, **more)


_PATH = re.compile(
    r"https://[^/]+/(?:api|apis/(?P<group>[^/]+))/[^/]+/(?:namespaces/[^/?]+/)?(?P<plural>[^/?]+)(?:/(?P<name>[^/?]+))?(?:\?.*)?"
)


def _permission(method: str, url: str) -> tuple[str, str, str]:
    if "/version" in url:
        return ("get", "", "/version")
    found = _PATH.fullmatch(url)
    assert found is not None, url
    verb = {"POST": "create", "GET": "get" if found["name"] else "list"}[method]
    return (verb, found["group"] or "", found["plural"])


def test_what_goes_over_the_wire_is_what_the_table_declares(live: Live) -> None:
    _fill_eks(live)
    connection = connect(live.options())
    assert isinstance(connection.kubernetes, KubernetesApi)
    assert isinstance(connection.aws, AwsCalls)
    pool = connection.kubernetes.api.pool = _Overheard(connection.kubernetes.api.pool)
    operations: set[str] = set()
    for service in ("eks", "ec2", "iam", "logs", "sts"):
        client = connection.aws.door._client(service)  # noqa: SLF001 - to listen in
        client.meta.events.register(
            "before-send", lambda request, service=service, **_: operations.add(f"{service}:{_operation(request)}")
        )
    look(connection)
    said = {_permission(method, url) for method, url in pool.requests}
    needed = permissions_for("preflight")
    declared = {(p.verb, p.group, p.path or p.resource) for p in needed.rbac}
    assert said <= declared
    unasked = {p for p in declared - said if (p[1], p[2]) in _served_groups(live) or not p[1] or p[1].endswith("k8s.io")}
    assert {
        p for p in unasked if p[1] != "policy.networking.k8s.io" and "cni.cncf" not in p[1] and "vpcresources" not in p[1]
    } == set()
    actions = {p.action for p in needed.iam}
    assert {o for o in operations if not o.endswith(":")} <= actions
    asked_of_eks = {f"eks:{name}" for name in live.eks.calls}
    assert asked_of_eks == {a for a in actions if a.startswith("eks:")}


def _operation(request: Any) -> str:
    """Return the operation of a query-protocol request; EKS, which speaks REST, is overheard at its endpoint."""
    target = request.headers.get("X-Amz-Target", b"")
    target = target.decode() if isinstance(target, bytes) else target
    if target:
        return str(target.rsplit(".", 1)[-1])
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
    found = re.search(r"Action=(\w+)", body)
    return found[1] if found else ""


def _fill_eks(live: Live) -> None:
    live.eks.calls.clear()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    cluster = live.eks.eks.clusters[CLUSTER].cluster
    from tests.testbed.eks_endpoint import eks_addon

    live.give(
        addons={"vpc-cni": eks_addon(cluster)},
        updates={"vpc-cni": {"u1": {"id": "u1", "status": "Failed", "type": "AddonUpdate", "createdAt": start}}},
        fargate_profiles=({"fargateProfileName": "f", "clusterName": CLUSTER, "status": "ACTIVE"},),
        pod_identities=(
            {
                "clusterName": CLUSTER,
                "namespace": "kube-system",
                "serviceAccount": "aws-node",
                "associationId": "a-1",
                "roleArn": "arn:aws:iam::123456789012:role/cni",
            },
        ),
    )


# --- the wrong cluster, no cluster, half a cluster ----------------------------------------------------------------------


def test_the_right_kubeconfig_passes_the_guard(live: Live) -> None:
    connection = connect(live.options(kubeconfig=str(live.plane.kubeconfig())))
    assert (connection.target.cluster, connection.target.context) == (CLUSTER, "testbed")
    assert isinstance(connection.cluster, Seen)
    assert connection.kubernetes is not None


def test_a_kubeconfig_of_another_cluster_is_refused_and_both_servers_are_named(live: Live) -> None:
    other = "https://127.0.0.1:1"
    with pytest.raises(GuardRefused) as caught:
        connect(live.options(kubeconfig=str(live.plane.kubeconfig(server=other))))
    assert other in str(caught.value)
    assert live.plane.url in str(caught.value)
    assert caught.value.exit_code == 6
    with pytest.raises(GuardRefused) as caught:
        connect(live.options(kubeconfig=str(live.plane.kubeconfig(ca_pem=Authority.make().pem))))
    assert "certificate authority" in str(caught.value)


def test_a_cluster_that_aws_does_not_know(live: Live) -> None:
    with pytest.raises(NotFound):
        connect(live.options(cluster="nope"))


def test_a_cluster_that_is_being_deleted_says_so(live: Live) -> None:
    live.change(status="DELETING")
    connection = connect(live.options())
    assert connection.kubernetes is None
    snapshot = look(connection, "nodes", "cluster")
    assert seen(snapshot.cluster).status == "DELETING"
    assert isinstance(snapshot.nodes, Unread)
    assert "is being deleted" in snapshot.nodes.reason


def test_a_cluster_that_is_being_made_has_no_server_yet(live: Live) -> None:
    live.change(status="CREATING", endpoint="", certificateAuthority={})
    connection = connect(live.options())
    assert connection.kubernetes_problem is not None
    assert "no API server yet" in connection.kubernetes_problem.reason


def test_aws_that_refuses_leaves_the_kubeconfig(live: Live) -> None:
    live.eks.faults["DescribeCluster"] = Fault(403, "AccessDeniedException", "no")
    connection = connect(live.options(kubeconfig=str(live.plane.kubeconfig())))
    snapshot = look(connection, "nodes", "cluster", "addons", "subnets")
    assert isinstance(snapshot.cluster, Unread)
    assert snapshot.cluster.permission == "eks:DescribeCluster"
    assert isinstance(snapshot.subnets, Unread)
    assert snapshot.subnets.permission == "eks:DescribeCluster"
    assert len(seen(snapshot.nodes)) == 3
    assert seen(snapshot.addons) == ()


def test_aws_that_refuses_leaves_nothing_without_a_kubeconfig(live: Live) -> None:
    live.eks.faults["DescribeCluster"] = Fault(403, "AccessDeniedException", "no")
    connection = connect(live.options())
    assert connection.kubernetes_problem is not None
    assert connection.kubernetes_problem.permission == "eks:DescribeCluster"
    assert "--kubeconfig" in connection.kubernetes_problem.reason


def test_expired_credentials_without_a_kubeconfig_stop_at_once(live: Live) -> None:
    live.eks.faults["*"] = Fault(403, "ExpiredTokenException", "The security token included in the request is expired")
    with pytest.raises(Unauthenticated) as caught:
        connect(live.options())
    assert "aws sso login" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_token_that_the_cluster_refuses_is_one_reason_for_all(live: Live) -> None:
    live.authenticator.clock = lambda: datetime.now(UTC) + timedelta(minutes=16)
    connection = connect(live.options())
    live.authenticator.refused.clear()
    assert connection.kubernetes is None
    snapshot = look(connection, "nodes", "pods", "addons")
    assert isinstance(snapshot.nodes, Unread)
    assert snapshot.nodes == snapshot.pods
    assert "does not accept these credentials" in snapshot.nodes.reason
    assert seen(snapshot.addons) == ()


def test_a_dead_api_server_leaves_aws(live: Live) -> None:
    live.change(endpoint="https://127.0.0.1:1")
    connection = connect(live.options())
    assert connection.kubernetes_problem is not None
    assert connection.kubernetes_problem.why is Why.UNREACHABLE
    assert "no connection" in connection.kubernetes_problem.reason


def test_another_certificate_leaves_aws(live: Live) -> None:
    import base64

    live.change(certificateAuthority={"data": base64.b64encode(Authority.make().pem.encode()).decode()})
    connection = connect(live.options())
    assert connection.kubernetes_problem is not None
    assert "(TLS)" in connection.kubernetes_problem.reason
    live.change(certificateAuthority={"data": "no base64"})
    connection = connect(live.options())
    assert connection.kubernetes_problem is not None
    assert connection.kubernetes_problem.why is Why.UNREADABLE
