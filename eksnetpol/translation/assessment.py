"""Can this cluster leave its policy engine for the VPC CNI, and what has to be seen to before? Looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eksnetpol.engines.catalog import catalog as engines
from eksnetpol.engines.dialects import KINDS, READERS, SPOKEN, UPSTREAM, stack_of
from eksnetpol.engines.engine import Life, Mode
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.engine_details import Details
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.eks import Cluster
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Target, Unread, Why
from eksnetpol.policy.world import World
from eksnetpol.translation.accepting import of_losses
from eksnetpol.translation.values import Accepted

_GROUPS = ("projectcalico.org", "tigera.io", "antrea.io", "cilium.io", "isovalent.com", "policy.networking.k8s.io")
_OF_KINDS = frozenset({"apiVersion", "kind"})
"""Where an object of a kind or version that is not known is said not to be understood."""

_SHOWN = 3

NEEDED = ("daemonsets", "deployments", "crds", "foreign_kinds", "foreign_policies", "network_policies", "api_services", "nodes")
"""Sections without which nothing found is no answer."""

_REFUSED_ENGINES = {
    "weave": "Weave Net connects the pods as well",
    "others": "how it is left is not known here",
}


class Outlook(StrEnum):
    """*movable*: this tool can move the cluster; *waivers*: it can where what goes is named; *refused*: it must not as it is;
    *nothing*: no other engine is there; *unknown*: something decisive could not be read.
    """

    MOVABLE = "movable"
    WAIVERS = "needs waivers"
    REFUSED = "refused"
    NOTHING = "nothing to migrate"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gap:
    """A section that could not be read, and why."""

    section: str
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was found. ``refusals`` are reasons not to move; ``waivers`` names of what goes, with words.

    ``accepted`` are those of them that somebody has taken on. ``recycled`` are node groups whose nodes keep the engine's rules
    until they are replaced, with how many nodes.
    """

    target: Target
    source: SourceKind
    outlook: Outlook
    engines: tuple[Details, ...]
    refusals: tuple[str, ...]
    waivers: tuple[tuple[str, str], ...]
    recycled: tuple[tuple[str, int], ...]
    policies: tuple[tuple[str, int], ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
    accepted: tuple[Accepted, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 where it could not be determined, 1 where the cluster must not be moved as it is, else 0."""
        return {Outlook.UNKNOWN: 3, Outlook.REFUSED: 1}.get(self.outlook, 0)


def assess(
    snapshot: ClusterSnapshot, taken: Sequence[Accepted] = (), notes: Sequence[str] = (), facts: Lookup | None = None
) -> Assessment:
    """Return what stands between the cluster in *snapshot* and the VPC CNI's own enforcement.

    *taken* are losses that somebody has taken on; *notes* are said beside those of the assessment. *facts* are those of
    *snapshot*, where somebody else asks them too. Raises `UsageError` where the command line takes on what is not lost here.
    """
    catalog()
    facts = facts or Lookup(snapshot)
    gaps = tuple(_gaps(snapshot))
    engines: tuple[Details, ...] = _value(facts.get("engine_details"), ())
    live = [d for d in engines if d.presence.life is not Life.RESIDUE]
    gaps += tuple(_of_engines(snapshot, live))
    refusals = tuple(_refusals(live, _value(facts.get("cluster"), None), _value(facts.get("node_kinds"), None)))
    waivers = tuple((f.name, f.words) for d in live for f in d.features if not f.blocks)
    names = {name for name, _ in waivers}
    accepted = tuple(one for one in taken if one.what in names)
    open_ones = names - {one.what for one in accepted}
    blocking = [f.name for d in live for f in d.features if f.blocks]
    unused = of_losses(taken, names, blocking, all_seen=not gaps)
    return Assessment(
        target=snapshot.target,
        source=snapshot.source,
        outlook=_outlook(live, refusals, open_ones, gaps, snapshot.source),
        engines=engines,
        refusals=refusals,
        waivers=waivers,
        recycled=tuple(_recycled(live, _value(facts.get("node_kinds"), None))),
        policies=tuple(_policies(snapshot)),
        gaps=gaps,
        notes=(*_notes(engines, live), *_not_understood(snapshot, live), *notes, *unused),
        accepted=accepted,
    )


def _value(section: Seen[Any] | Unread, otherwise: Any) -> Any:
    return section.value if isinstance(section, Seen) else otherwise


def _gaps(snapshot: ClusterSnapshot) -> Iterator[Gap]:
    kinds = snapshot.foreign_kinds
    for name in NEEDED:
        section = getattr(snapshot, name)
        if name == "foreign_policies" and isinstance(kinds, Seen) and not any(kind.count for kind in kinds.value):
            continue
        if isinstance(section, Unread) and section.why is not Why.NOT_IN_FILES:
            yield Gap(name, section.reason)
    services = snapshot.api_services
    for api in services.value if isinstance(services, Seen) else ():
        broken = next((c for c in api.status.conditions if c.type == "Available" and c.status != "True"), None)
        if broken is not None and api.spec.group.endswith(_GROUPS):
            yield Gap(f"apiservice/{api.metadata.name}", f"it does not answer: {broken.message or broken.reason}")
    crds = snapshot.crds.value if isinstance(snapshot.crds, Seen) and snapshot.source is SourceKind.LIVE else ()
    known = {kind for kinds in KINDS.values() for one in kinds.values() for kind in one}
    for crd in crds:
        kind = crd.spec.names.kind
        if crd.spec.group.endswith(_GROUPS) and kind.endswith("NetworkPolicy") and kind not in known:
            yield Gap(f"customresourcedefinition/{crd.metadata.name}", f"what a {kind} means is not known here")
        elif crd.spec.group.endswith(_GROUPS) and not (crd.is_established and any(v.served for v in crd.spec.versions)):
            yield Gap(f"customresourcedefinition/{crd.metadata.name}", "it is not served: its objects cannot be listed")


def _of_engines(snapshot: ClusterSnapshot, live: list[Details]) -> Iterator[Gap]:
    """Yield what is missing of the engines that run, and of what their policies say."""
    if not live and snapshot.source is SourceKind.MANIFESTS:
        yield Gap("engines", "no agent of an engine is in these files, which shows nothing about the cluster that they are for")
    for one in live:
        if one.presence.mode is Mode.UNKNOWN:
            yield from (Gap(f"settings of {one.presence.title}", reason) for reason in one.unread)
    world = World.of(snapshot)
    for dialect in _dialects(world, live):
        yield from (Gap(str(u.ref), u.why) for u in stack_of(dialect, world).unread if u.place in _OF_KINDS)


def _dialects(world: World, live: list[Details]) -> Iterable[str]:
    """Return the dialects of the engines that run, and those in which something is written."""
    written = {p.api_version.partition("/")[0] for p in world.foreign_policies}
    spoken = [SPOKEN[one.presence.name] for one in live if one.presence.name in SPOKEN]
    readable = (engine for engine in engines() if engine.name in READERS)
    spoken += [e.name for e in readable if any(_is_of(group, own) for group in written for own in e.groups)]
    return dict.fromkeys((*spoken, *([UPSTREAM] if world.admin_policies else [])))


def _is_of(group: str, own: str) -> bool:
    return group == own or group.endswith(f".{own}")


def _not_understood(snapshot: ClusterSnapshot, live: list[Details]) -> Iterator[str]:
    """Yield how many policies are not understood for another reason than their kind."""
    world = World.of(snapshot)
    for dialect in _dialects(world, live):
        unread = [u for u in stack_of(dialect, world).unread if u.place not in _OF_KINDS]
        if unread:
            shown = ", ".join(str(u.ref) for u in unread[:_SHOWN]) + (" and others" if len(unread) > _SHOWN else "")
            yield f"{_counted(len(unread), 'object')} will be refused by translate, which says why: {shown}"


def _refusals(live: list[Details], cluster: Cluster | None, nodes: NodeKinds | None) -> Iterator[str]:
    enforcing = [d for d in live if d.presence.enforces]
    if len(enforcing) > 1:
        titles = " and ".join(d.presence.title for d in enforcing)
        yield f"{titles} enforce at once, and which rules hold is theirs to say: leave one first"
    for one in live:
        title = one.presence.title
        if one.presence.mode is Mode.FULL_CNI or one.presence.name == "weave":
            yield f"{title} connects the pods as well: leaving it means new nodes and pods, which is no change of policy engine"
        elif one.presence.mode is Mode.UNKNOWN and not one.unread and one.presence.name in {"calico", "cilium", "antrea"}:
            yield f"whether {title} connects the pods as well is not known: its settings were not found"
        elif one.presence.name in _REFUSED_ENGINES:
            yield f"{title}: {_REFUSED_ENGINES[one.presence.name]}"
        yield from (f"{title}: {feature.words}" for feature in one.features if feature.blocks)
    if live and nodes is not None and nodes.hybrid:
        yield f"{_counted(len(nodes.hybrid), 'hybrid node')}: they need Cilium or Calico, so neither may leave the cluster"
    if live and nodes is not None and nodes.windows:
        yield f"{_counted(len(nodes.windows), 'Windows node')}: the VPC CNI polices no Windows pods, which would be open"
    if live and cluster is not None and cluster.has_auto_mode and nodes is not None and not nodes.linux_ec2:
        yield "all nodes are of EKS Auto Mode, which polices by itself and supports no other engine"


def _outlook(
    live: list[Details], refusals: tuple[str, ...], waivers: set[str], gaps: tuple[Gap, ...], source: SourceKind
) -> Outlook:
    if refusals:
        return Outlook.REFUSED
    if gaps:
        return Outlook.UNKNOWN
    if not live:
        # Files hold what they hold: that an engine is not in them shows nothing about a cluster.
        return Outlook.UNKNOWN if source is SourceKind.MANIFESTS else Outlook.NOTHING
    return Outlook.WAIVERS if waivers else Outlook.MOVABLE


def _recycled(live: list[Details], nodes: NodeKinds | None) -> Iterator[tuple[str, int]]:
    """Yield groups of nodes that keep rules in their kernels after the engine is gone: those it ran on."""
    if not live or nodes is None:
        return
    groups: dict[str, int] = {}
    for node in nodes.linux_ec2:
        labels = node.metadata.labels
        name = labels.get("eks.amazonaws.com/nodegroup") or labels.get("karpenter.sh/nodepool") or "self-managed"
        groups[name] = groups.get(name, 0) + 1
    yield from sorted(groups.items())


def _policies(snapshot: ClusterSnapshot) -> Iterator[tuple[str, int]]:
    if isinstance(snapshot.network_policies, Seen):
        yield "NetworkPolicy", len(snapshot.network_policies.value)
    foreign = snapshot.foreign_policies
    kinds: dict[str, int] = {}
    for policy in foreign.value if isinstance(foreign, Seen) else ():
        name = f"{policy.kind} ({policy.api_version.partition('/')[0]})"
        kinds[name] = kinds.get(name, 0) + 1
    yield from sorted(kinds.items())


def _notes(engines: Iterable[Details], live: list[Details]) -> Iterator[str]:
    for one in engines:
        if one.presence.life is Life.RESIDUE:
            yield f"{one.presence.title} is gone but for {', '.join(one.presence.evidence)}: nobody acts on them"
        yield from (f"{one.presence.title}: its settings were not all read: {reason}" for reason in one.unread)
    for one in live:
        if not one.presence.enforces:
            yield f"{one.presence.title} is there and enforces nothing today: what its policies say would begin to hold"
        for owner in one.owners:
            yield f"{owner} keeps {one.presence.title} as it is: it has to let go of it first"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
