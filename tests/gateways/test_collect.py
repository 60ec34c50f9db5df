"""One look: every section asked once, what fails stops nothing else, and a bug is never silence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from eksnetpol.errors import Bug, Denied, NotFound, TransientError, Unauthenticated, Unreachable, UnreadableInput
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.sections import readers
from eksnetpol.gateways.session import Connection
from eksnetpol.interfaces import SilentObserver
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.snapshot import SECTIONS, Seen, Target, Unread, Why, unread_sections

CLUSTER = eks.Cluster(
    name="prod",
    arn="arn:aws:eks:us-west-2:123456789012:cluster/prod",
    resources_vpc_config=eks.VpcConfig(subnet_ids=("s-1",), vpc_id="vpc-1"),
)
ADDON = eks.Addon(addon_name="vpc-cni", addon_version="v1.20.5-eksbuild.1")


class _World:
    """Both gateways at once: answers what it was given, raises what it was given, remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {
            "describe_cluster": CLUSTER,
            "describe_addon": ADDON,
            "caller": eks.Caller("1", "arn"),
            "server_version": "v1.33.0",
            "addon_schema": eks.AddonSchema(),
            "log_streams": eks.LogStreams("g"),
            "vpc": eks.Vpc("vpc-1"),
            **answers,
        }
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        def verb(*arguments: Any) -> Any:
            self.asked.append((name, tuple(tuple(a) if hasattr(a, "__next__") else a for a in arguments)))
            answer = self.answers.get(name, ())
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return verb

    def connection(self, **more: Any) -> Connection:
        doors: dict[str, Any] = {
            "aws": self,
            "kubernetes": self,
            "cluster": Seen(CLUSTER),
            "target": Target(cluster="prod"),
            **more,
        }
        return Connection(**doors)


class _Diary(SilentObserver):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.total = 0
        self.read: dict[str, int] = {}
        self.failed: dict[str, str] = {}
        self.ended = False

    def started(self, total: int) -> None:
        self.total = total

    def section(self, name: str, count: int) -> None:
        self.read[name] = count

    def unread(self, name: str, reason: str) -> None:
        self.failed[name] = reason

    def finished(self) -> None:
        self.ended = True


def test_every_section_of_a_snapshot_has_a_reader() -> None:
    assert set(readers()) == set(SECTIONS)
    assert all(set(reader.after) <= set(SECTIONS) for reader in readers().values())


def test_a_look_at_a_healthy_world_reads_everything() -> None:
    role = eks.Nodegroup(nodegroup_name="g", node_role="arn:aws:iam::1:role/n")
    diary = _Diary()
    when = datetime(2026, 1, 1, tzinfo=UTC)
    snapshot = collect(_World(nodegroups=(role,)).connection(), diary, now=lambda: when)
    assert unread_sections(snapshot) == ()
    assert snapshot.taken_at == when
    assert (diary.total, len(diary.read), diary.failed, diary.ended) == (len(SECTIONS), len(SECTIONS), {}, True)
    assert diary.read["addon"] == 1
    assert diary.read["pods"] == 0


@pytest.mark.parametrize(
    ("error", "why", "permission"),
    [
        (Denied("no", permission="list namespaces"), Why.DENIED, "list namespaces"),
        (Unreachable("gone"), Why.UNREACHABLE, ""),
        (TransientError("later"), Why.UNREACHABLE, ""),
        (Unauthenticated("who"), Why.UNREACHABLE, ""),
        (NotFound("none"), Why.UNREADABLE, ""),
        (UnreadableInput("server", "gibberish"), Why.UNREADABLE, ""),
    ],
)
def test_a_section_that_fails_is_unread_and_stops_no_other(error: Exception, why: Why, permission: str) -> None:
    diary = _Diary()
    snapshot = collect(_World(namespaces=error, nodegroups=NODES).connection(), diary)
    (only,) = unread_sections(snapshot)
    assert (only.name, only.unread) == ("namespaces", Unread(str(error), why, permission))
    assert diary.failed == {"namespaces": str(error)}


NODES = (eks.Nodegroup(nodegroup_name="g", node_role="arn:aws:iam::1:role/n"),)


def test_what_builds_on_an_unread_section_says_so_and_keeps_the_permission() -> None:
    world = _World(crds=Denied("crds are forbidden", permission="list customresourcedefinitions"))
    snapshot = collect(world.connection(), SilentObserver())
    assert isinstance(snapshot.policy_endpoints, Unread)
    assert snapshot.policy_endpoints.reason == "builds on crds, which could not be read: crds are forbidden"
    assert snapshot.policy_endpoints.permission == "list customresourcedefinitions"
    assert "policy_endpoints" not in {name for name, _ in world.asked}


def test_a_shut_door_is_asked_nothing() -> None:
    world = _World(nodegroups=NODES)
    problem = Unread("no credentials", Why.UNREACHABLE)
    snapshot = collect(world.connection(aws=None, aws_problem=problem, cluster=problem), SilentObserver())
    aws = {name for name, reader in readers().items() if reader.door == "aws"}
    assert {section.name: section.unread for section in unread_sections(snapshot)} == dict.fromkeys(aws, problem)
    assert not {name for name, _ in world.asked} & {"caller", "list_addons", "describe_cluster"}


def test_only_what_was_wanted_and_what_it_builds_on_is_asked() -> None:
    world = _World()
    snapshot = collect(world.connection(), SilentObserver(), sections={"policy_endpoints", "namespaces"})
    assert sorted(name for name, _ in world.asked) == ["crds", "namespaces", "policy_endpoints"]
    assert snapshot.pods == Unread("this snapshot was taken without asking for it")
    with pytest.raises(Bug):
        collect(world.connection(), SilentObserver(), sections={"no_such_section"})


def test_a_bug_is_not_an_unread_section() -> None:
    with pytest.raises(ZeroDivisionError):
        collect(_World(nodes=lambda: 1 / 0).connection(), SilentObserver())
    with pytest.raises(Bug):
        collect(_World(nodes=Bug("undeclared")).connection(), SilentObserver())


def test_arrivals_reach_the_observer_from_one_thread() -> None:
    import threading

    from eksnetpol.gateways.kubernetes_lists import arrivals

    def pods() -> tuple[k8s.Pod, ...]:
        for count in (500, 1000):
            arrivals.get()(count)
        return ()

    class Listener(_Diary):
        def __init__(self) -> None:
            super().__init__()
            self.heard: list[tuple[str, int, int]] = []

        def progress(self, name: str, count: int) -> None:
            self.heard.append((name, count, threading.get_ident()))

    listener = Listener()
    collect(_World(pods=pods).connection(), listener)
    assert listener.heard == [("pods", 500, threading.get_ident()), ("pods", 1000, threading.get_ident())]


# --- sections that choose what to ask ---------------------------------------------------------------------------------


def node(provider: str) -> k8s.Node:
    return k8s.Node(k8s.ObjectMeta(name="n"), k8s.NodeSpec(provider))


def asked(world: _World, verb: str) -> list[tuple[Any, ...]]:
    return [arguments for name, arguments in world.asked if name == verb]


def test_instances_are_asked_for_by_the_nodes_ids() -> None:
    providers = ("aws:///us-west-2a/i-0123", "aws:///us-west-2b/0a1b/fargate-ip-10-0-0-1", "eks-hybrid:///us/c/mi-1", "")
    world = _World(nodes=tuple(map(node, providers)))
    collect(world.connection(), SilentObserver(), sections={"instances"})
    assert asked(world, "instances") == [(("i-0123",),)]


def test_instances_are_asked_for_by_tag_where_nodes_are_unread() -> None:
    world = _World(nodes=Denied("no", permission="list nodes"))
    snapshot = collect(world.connection(), SilentObserver(), sections={"instances"})
    assert asked(world, "instances_of") == [("prod",)]
    assert isinstance(snapshot.instances, Seen)


def account(role: str = "") -> k8s.ServiceAccount:
    annotations = {"eks.amazonaws.com/role-arn": role} if role else {}
    return k8s.ServiceAccount(k8s.ObjectMeta(name="aws-node", namespace="kube-system", annotations=annotations))


ASSOCIATION = eks.PodIdentityAssociation(namespace="kube-system", service_account="aws-node", association_id="a-1")


@pytest.mark.parametrize(
    ("answers", "roles"),
    [
        ({"nodegroups": NODES}, ["arn:aws:iam::1:role/n"]),
        ({"nodegroups": NODES, "service_accounts": (account("irsa"),)}, ["irsa"]),
        ({"nodegroups": NODES, "pod_identities": (ASSOCIATION,), "pod_identity_role": "pod-identity"}, ["pod-identity"]),
        (
            {"service_accounts": (account("irsa"),), "pod_identities": (ASSOCIATION,), "pod_identity_role": "pod-identity"},
            ["irsa", "pod-identity"],
        ),
        ({"describe_addon": eks.Addon("vpc-cni", service_account_role_arn="addon"), "nodegroups": NODES}, ["addon"]),
    ],
)
def test_the_roles_of_the_agent(answers: dict[str, Any], roles: list[str]) -> None:
    world = _World(**answers)
    snapshot = collect(world.connection(), SilentObserver(), sections={"log_permissions"})
    assert isinstance(snapshot.log_permissions, Seen)
    simulated = asked(world, "simulate")
    assert sorted({arguments[0] for arguments in simulated}) == roles
    writes = [arguments[2][0] for arguments in simulated if "logs:PutLogEvents" in arguments[1]]
    assert set(writes) == {"arn:aws:logs:us-west-2:123456789012:log-group:/aws/eks/prod/cluster:log-stream:*"}


def test_a_role_that_nothing_names_is_not_guessed() -> None:
    snapshot = collect(_World().connection(), SilentObserver(), sections={"log_permissions"})
    assert isinstance(snapshot.log_permissions, Unread)
    assert "names the role" in snapshot.log_permissions.reason
    denied = _World(pod_identities=Denied("no", permission="eks:ListPodIdentityAssociations"), nodegroups=NODES)
    snapshot = collect(denied.connection(), SilentObserver(), sections={"log_permissions"})
    assert isinstance(snapshot.log_permissions, Unread)
    assert snapshot.log_permissions.permission == "eks:ListPodIdentityAssociations"


def test_without_a_managed_addon_there_is_no_schema() -> None:
    world = _World(describe_addon=None)
    snapshot = collect(world.connection(), SilentObserver(), sections={"addon_schema"})
    assert snapshot.addon_schema == Seen(None)
    assert asked(world, "addon_schema") == []
