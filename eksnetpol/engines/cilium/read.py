"""What is in force where Cilium enforces it: its own policies and Kubernetes' NetworkPolicies, as a stack.

Denials stand before everything; then whatever allows has a say, in no order; what isolates a pod in a direction denies the rest.
A pod's own node may, unless a denial means it. What is left out, and why, is said by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from msgspec import UNSET

from eksnetpol.engines.cilium import kubernetes
from eksnetpol.engines.cilium.faults import SCHEMA, FaultError, RefusedError, UnclearError, by_parser
from eksnetpol.engines.cilium.identities import Identities
from eksnetpol.engines.cilium.peers import CIDR_GROUP, CidrGroups, Peers
from eksnetpol.engines.cilium.policies import Halves, halves
from eksnetpol.engines.cilium.settings import CONFIG, Enforcement, Settings, settings_of
from eksnetpol.engines.cilium.shapes import CidrGroup, Json, Policy, shaped
from eksnetpol.engines.kubernetes_policies import NETWORK_POLICY, PODS
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import meets
from eksnetpol.policy.stacks.formulas import OnNode
from eksnetpol.policy.stacks.rules import Does, Refused, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World

DIALECT = "cilium"
POLICY, CLUSTER_WIDE = "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"

_VERSIONS: Mapping[str, frozenset[str]] = {
    POLICY: frozenset({"cilium.io/v2"}),
    CLUSTER_WIDE: frozenset({"cilium.io/v2"}),
    CIDR_GROUP: frozenset({"cilium.io/v2", "cilium.io/v2alpha1"}),
}
_NO_POLICIES: Mapping[str, str] = {
    "CiliumEgressGatewayPolicy": "sends connections through gateways, which goes when Cilium goes",
    "CiliumLocalRedirectPolicy": "redirects connections on the node, which goes when Cilium goes",
    "CiliumEnvoyConfig": "configures Cilium's proxy, which goes when Cilium goes",
    "CiliumClusterwideEnvoyConfig": "configures Cilium's proxy, which goes when Cilium goes",
    "CiliumNodeConfig": "gives some nodes settings of their own: answers are those of cilium-config",
}
"""Kinds that decide about connections and are no policies; each with what to know of it."""

_MESH = (
    f"{CONFIG} gives this cluster an id for a mesh: to Cilium, pods of other clusters in it are no addresses outside. They are "
    "when Cilium goes, and `world` and blocks that hold their addresses let them through"
)

_CLOSED = Refused(
    CONFIG,
    "it keeps a pod's own node out where policies do not let it in; the VPC CNI always lets that through, whatever is written",
    "data.allow-localhost",
)

DENY_TIER = "deny"
"""What denies, before everything that allows."""


def read(
    objects: Iterable[Json],
    kubernetes: Iterable[NetworkPolicy],
    world: World,
    *,
    settings: Settings | Mapping[str, str] | None = None,
) -> Stack:
    """Return what *objects* of Cilium's kinds and NetworkPolicies mean in *world* under *settings*.

    These may be the data of ``cilium-config``. Without any, those of *world* hold, and Cilium's defaults where it has none.
    Objects that Cilium refuses are among ``refused``; those that are not understood here, among ``unread``.
    """
    known, unread = world.configmaps, ""
    if settings is None and isinstance(known, Unread):
        unread = f"its settings could not be read: {known.reason}"
    elif settings is None:
        settings = (known or {}).get(CONFIG.name)  # type: ignore[union-attr] # it is read, see above
    if settings is None:
        settings = Settings(api_servers=world.api_servers)
    elif not isinstance(settings, Settings):
        settings = settings_of(settings, world.agents.get("cilium", ""), world.api_servers)
    return _Reading(world, settings, unread).read(objects, kubernetes)


class _Reading:
    def __init__(self, world: World, settings: Settings, unread: str) -> None:
        self.world = world
        self.settings = settings
        self.identities = Identities(settings)
        self.groups = CidrGroups({}, {})
        self.denying: list[StackPolicy] = []
        self.allowing: list[StackPolicy] = []
        self.refused: list[Refused] = []
        self.unread: list[Refused] = [Refused(CONFIG, unread)] if unread else []
        self.notes: dict[str, None] = {}
        self._peers: dict[str, Peers] = {}

    def read(self, objects: Iterable[Json], network_policies: Iterable[NetworkPolicy]) -> Stack:
        policies: list[tuple[Subject, Json]] = []
        groups: list[tuple[Subject, Json]] = []
        switches = {POLICY: self.settings.own_policies, CLUSTER_WIDE: self.settings.cluster_wide_policies}
        switched_off = {kind for kind, is_on in switches.items() if not is_on}
        for one in objects:
            kind, ref = str(one.get("kind", "")), _ref(one)
            if kind in switched_off:
                self.notes[f"{ref} is not in force: {CONFIG} switches its kind off"] = None
            elif one.get("apiVersion") in _VERSIONS.get(kind, ()):
                (groups if kind == CIDR_GROUP else policies).append((ref, one))
            elif kind in _VERSIONS or kind.endswith("NetworkPolicy"):
                self.unread.append(Refused(ref, f"{one.get('apiVersion')} {kind} is not known here", "apiVersion"))
            elif kind in _NO_POLICIES:
                self.notes[f"{ref} {_NO_POLICIES[kind]}"] = None
        self._read_groups(groups)
        for ref, one in policies:
            self._read_one(ref, partial(self._policy, ref, one))
        self._read_kubernetes(tuple(network_policies))
        return self._stack()

    # --- objects ------------------------------------------------------------------------------------------------------

    def _read_one(self, ref: Subject, made: Callable[[], None]) -> None:
        try:
            made()
        except UnclearError as error:
            self.unread.append(Refused(ref, error.why, error.place))
        except RefusedError as error:
            is_there = error.why.startswith(SCHEMA) and self.world.source is SourceKind.LIVE
            if is_there:
                # The API server took it, so its definition is another than the one known here.
                self.unread.append(Refused(ref, f"{error.why}, yet it is in the cluster", error.place))
            else:
                self.refused.append(Refused(ref, error.why, error.place))

    def _policy(self, ref: Subject, one: Json) -> None:
        written = shaped(one, Policy)
        if written.spec is UNSET and written.specs is UNSET:
            raise by_parser("it has neither spec nor specs", "")
        specs = [] if written.spec is UNSET else [("spec", written.spec)]
        specs += [(f"specs[{n}]", spec) for n, spec in enumerate([] if written.specs is UNSET else written.specs)]
        labels = _labels(one)
        found: list[Halves] = [halves(ref, spec, place, self._peers_of(ref.namespace), labels) for place, spec in specs]
        for half in found:
            if half.denying is not None:
                self.denying.append(half.denying)
            self.allowing.append(half.allowing)
            if half.is_for_nodes:
                self.notes[f"{ref} is a policy for nodes: no pod is its subject, and nothing takes its place"] = None

    def _peers_of(self, namespace: str) -> Peers:
        known = self._peers.get(namespace)
        if known is None:
            known = self._peers[namespace] = Peers(self.identities, namespace, self.world, self.groups)
        return known

    def _read_groups(self, groups: Iterable[tuple[Subject, Json]]) -> None:
        blocks: dict[str, frozenset[Network]] = {}
        labels: dict[str, Mapping[str, str]] = {}

        def group(ref: Subject, one: Json) -> None:
            texts = shaped(one, CidrGroup).spec.external_cidrs
            networks: set[Network] = set()
            for number, text in enumerate(texts):
                network = parse_cidr(text)
                if network is None:
                    raise UnclearError(f"{text!r} is no CIDR", f"spec.externalCIDRs[{number}]")
                networks.add(network)
            blocks[ref.name] = frozenset(networks)
            labels[ref.name] = _labels(one)

        for ref, one in groups:
            self._read_one(ref, partial(group, ref, one))
        self.groups = CidrGroups(blocks, labels)

    def _read_kubernetes(self, policies: tuple[NetworkPolicy, ...]) -> None:
        if not self.settings.kubernetes_policies:
            if policies:
                count = len(policies)
                self.notes[f"{CONFIG} switches NetworkPolicies off: {count} of them come into force when Cilium goes"] = None
            return
        for policy in policies:
            ref = Subject(NETWORK_POLICY, policy.name, policy.namespace)
            try:
                self.allowing.append(kubernetes.stack_policy(policy, self._peers_of(policy.namespace)))
            except FaultError as error:
                self.unread.append(Refused(ref, error.why, error.place))

    # --- the whole ----------------------------------------------------------------------------------------------------

    def _stack(self) -> Stack:
        if self.settings.label_filter:
            why = f"it sets a filter of its own for the labels that count: {self.settings.label_filter}"
            self.unread.append(Refused(CONFIG, why, "data.labels"))
        tiers: list[StackTier] = []
        off = self._off()
        host_may = self.settings.localhost_always
        if off:
            self.notes[off] = None
            self.unread.clear()
        else:
            denies_node = host_may and any(
                rule.direction is Direction.INGRESS and meets(rule.peer, OnNode()) for p in self.denying for rule in p.rules
            )
            if self.denying:
                tiers.append(StackTier(DENY_TIER, tuple(self.denying), otherwise=None))
            if denies_node:
                host_may = False
                self.allowing.insert(0, _OWN_NODE)
            if self.settings.enforcement is Enforcement.ALWAYS:
                self.allowing.append(_ALWAYS)
            # What is judged further is asked first: a plain rule beside it does not keep the proxy out.
            self.allowing.sort(key=lambda p: not any(rule.judged_further for rule in p.rules))
            tiers.append(StackTier("", tuple(self.allowing)))
        if self.settings.in_mesh and not off:
            self.notes[_MESH] = None
        return Stack(
            DIALECT,
            tuple(tiers),
            host_may=host_may,
            closed=() if off or self.settings.localhost_always or not self._isolates_ingress() else (_CLOSED,),
            refused=tuple(self.refused),
            unread=tuple(self.unread),
            notes=tuple(self.notes),
        )

    def _isolates_ingress(self) -> bool:
        return any(Direction.INGRESS in policy.isolates for policy in self.allowing)

    def _off(self) -> str:
        if self.settings.enforcement is Enforcement.NEVER:
            return f"{CONFIG} sets enable-policy to never: no policy is in force"
        if self.settings.is_audit_only:
            return f"{CONFIG} sets policy-audit-mode: policies are logged, and none is in force"
        return ""


_OWN_NODE = StackPolicy(
    Subject("Node", ""), PODS, frozenset(), (StackRule(Direction.INGRESS, Does.ALLOW, peer=OnNode(), place="the pod's own"),)
)
"""A pod's own node may, where no denial means it."""

_ALWAYS = StackPolicy(CONFIG, PODS, frozenset(Direction), ())
"""``enable-policy: always``: pods are isolated that no policy selects."""


def _ref(one: Json) -> Subject:
    metadata = one.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    kind, namespace = str(one.get("kind", "")), str(named.get("namespace") or "")
    if kind == POLICY:
        namespace = namespace or "default"
    elif kind in _VERSIONS:
        namespace = ""
    return Subject(kind, str(named.get("name", "")), namespace)


def _labels(one: Json) -> dict[str, str]:
    labels = one["metadata"].get("labels")
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
