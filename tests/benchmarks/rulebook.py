"""NetworkPolicies as teams write them: a few for each namespace as a whole, and some for each workload, in many shapes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.selectors import LabelSelector, Operator, Requirement
from tests.benchmarks.crowd import ROLES, TEAMS, App
from tests.benchmarks.ground import uid

_COMPONENT = "app.kubernetes.io/component"
_DNS = (pol.PolicyPort("UDP", 53), pol.PolicyPort("TCP", 53))
_HTTPS = (pol.PolicyPort("TCP", 443),)
_RESOLVER = pol.PolicyPeer(
    namespace_selector=LabelSelector({"kubernetes.io/metadata.name": "kube-system"}),
    pod_selector=LabelSelector({"k8s-app": "kube-dns"}),
)
Shape = pol.NetworkPolicySpec


def policies(dice: random.Random, count: int, crowd: list[App]) -> Iterator[pol.NetworkPolicy]:
    """Yield *count* policies: those of whole namespaces first, then those of workloads in turn."""
    made = 0
    for namespace in dict.fromkeys(app.namespace for app in crowd):
        for name, spec in _of_namespace().items():
            if made < count:
                yield pol.NetworkPolicy(k8s.ObjectMeta(name=name, namespace=namespace, uid=uid(made, "y"), generation=1), spec)
                made += 1
    known: set[tuple[str, str]] = set()
    while made < count:
        app = crowd[made % len(crowd)]
        name, spec = _of_app(dice, app, made)
        if (app.namespace, name) in known:
            name = f"{name}-{made}"
        known.add((app.namespace, name))
        meta = k8s.ObjectMeta(name=name, namespace=app.namespace, uid=uid(made, "y"), labels={"team": app.team}, generation=1)
        yield pol.NetworkPolicy(meta, spec)
        made += 1


def _of_namespace() -> dict[str, Shape]:
    everything = LabelSelector()
    monitoring = pol.PolicyPeer(namespace_selector=LabelSelector({"kubernetes.io/metadata.name": "monitoring"}))
    cloud = (
        pol.EgressRule((_block("169.254.170.23/32"), _block("169.254.169.254/32")), (pol.PolicyPort("TCP", 80),)),
        pol.EgressRule((_block("0.0.0.0/0", "10.0.0.0/8"),), _HTTPS),
    )
    return {
        "default-deny": Shape(policy_types=("Ingress", "Egress")),
        "allow-dns": Shape(everything, (), (pol.EgressRule((_RESOLVER,), _DNS),), ("Egress",)),
        "allow-metrics": Shape(
            everything, (pol.IngressRule((monitoring,), (pol.PolicyPort("TCP", "metrics"),)),), (), ("Ingress",)
        ),
        "allow-cloud": Shape(everything, (), cloud, ("Egress",)),
    }


def _of_app(dice: random.Random, app: App, number: int) -> tuple[str, Shape]:
    shapes = (_mates, _team, _edge, _office, _stores, _outside, _partner, _open)
    shape = shapes[number % len(shapes)]
    return f"{app.name}-{shape.__name__.removeprefix('_')}", shape(dice, app)


def _mates(dice: random.Random, app: App) -> Shape:
    mates = pol.PolicyPeer(pod_selector=LabelSelector({_COMPONENT: dice.choice(ROLES)}))
    return Shape(LabelSelector(app.selector), (pol.IngressRule((mates,), (_own(app),)),), (), ("Ingress",))


def _team(dice: random.Random, app: App) -> Shape:
    among = Requirement(_COMPONENT, Operator.IN, tuple(sorted(dice.sample(ROLES, 3))))
    team = pol.PolicyPeer(LabelSelector(match_expressions=(among,)), LabelSelector({"team": dice.choice(TEAMS)}))
    rule = pol.IngressRule((team,), (pol.PolicyPort("TCP", "http"), pol.PolicyPort("TCP", "metrics")))
    return Shape(LabelSelector(app.selector), (rule,), (), ("Ingress",))


def _edge(_dice: random.Random, app: App) -> Shape:
    door = pol.PolicyPeer(namespace_selector=LabelSelector({"stage": "edge"}))
    return Shape(LabelSelector(app.selector), (pol.IngressRule((door,), (_own(app),)),), (), ("Ingress",))


def _office(dice: random.Random, app: App) -> Shape:
    office = _block(f"10.{dice.randrange(128, 160)}.0.0/16", f"10.{dice.randrange(128, 160)}.7.0/24")
    rule = pol.IngressRule((office,), (_own(app), pol.PolicyPort("TCP", 8000, 8100)))
    return Shape(LabelSelector(app.selector), (rule,), (), ("Ingress",))


def _stores(_dice: random.Random, app: App) -> Shape:
    # By a label that Services select by too, or the controller would leave their addresses out.
    names = (f"{app.team}-{role}" for role in ("db", "cache"))
    store, cache = (pol.PolicyPeer(pod_selector=LabelSelector({"app.kubernetes.io/name": name})) for name in names)
    to = (
        pol.EgressRule((store,), (pol.PolicyPort("TCP", 5432),)),
        pol.EgressRule((cache,), (pol.PolicyPort("TCP", 6379),)),
        pol.EgressRule((_RESOLVER,), _DNS),
    )
    return Shape(LabelSelector(app.selector), (), to, ("Egress",))


def _outside(_dice: random.Random, app: App) -> Shape:
    outside = pol.EgressRule((_block("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12"),), _HTTPS)
    return Shape(LabelSelector(app.selector), (), (outside,), ("Egress",))


def _partner(dice: random.Random, app: App) -> Shape:
    partner = pol.EgressRule((_block(f"192.0.2.{dice.randrange(256)}/32"),), (pol.PolicyPort("TCP", 8443, 8450),))
    others = Requirement(_COMPONENT, Operator.NOT_IN, tuple(dice.sample(ROLES, 2)))
    incoming = pol.IngressRule((pol.PolicyPeer(LabelSelector(match_expressions=(others,))),), (_own(app),))
    return Shape(LabelSelector(app.selector), (incoming,), (partner,), ("Ingress", "Egress"))


def _open(_dice: random.Random, app: App) -> Shape:
    charted = Requirement("helm.sh/chart", Operator.EXISTS)
    part_of = LabelSelector({_COMPONENT: app.role}, (charted,))
    return Shape(part_of, (pol.IngressRule((), (_own(app),)),), (), ("Ingress",))


def _own(app: App) -> pol.PolicyPort:
    return pol.PolicyPort("TCP", app.port)


def _block(cidr: str, *excepts: str) -> pol.PolicyPeer:
    return pol.PolicyPeer(ip_block=pol.IPBlock(cidr, excepts))


def endpoints(rules: Iterable[pol.NetworkPolicy], pods: Mapping[str, list[pol.PodEndpoint]]) -> Iterator[pol.PolicyEndpoint]:
    """Yield what the controller notes of policies of one workload: its pods, and blocks.

    Pods that peers mean are left out: written out, they would be many times all the rest, and none of the checks reads them.
    """
    for i, policy in enumerate(rules):
        name = policy.spec.pod_selector.match_labels.get("app.kubernetes.io/instance", "")
        chosen = pods.get(f"{policy.namespace}/{name}", [])
        spec = pol.PolicyEndpointSpec(
            policy_ref=pol.PolicyRef(policy.name, policy.namespace),
            pod_selector=policy.spec.pod_selector,
            pod_isolation=policy.spec.policy_types,
            pod_selector_endpoints=tuple(chosen),
            ingress=_blocks_of(policy.spec.ingress),
            egress=_blocks_of(policy.spec.egress),
        )
        meta = k8s.ObjectMeta(name=f"{policy.name}-{i:05}", namespace=policy.namespace, uid=uid(i, "e"), generation=1)
        yield pol.PolicyEndpoint(meta, spec)


def _blocks_of(rules: Iterable[pol.IngressRule | pol.EgressRule]) -> tuple[pol.EndpointInfo, ...]:
    return tuple(
        pol.EndpointInfo(peer.ip_block.cidr, peer.ip_block.except_, rule.ports)
        for rule in rules
        for peer in rule.peers
        if peer.ip_block is not None
    )
