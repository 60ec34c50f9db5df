"""What speaks against switching network policy off, what it costs, and what is left to do afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eksnetpol.assets.releases import matrix
from eksnetpol.engines.engine import Life
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.node_groups import fold
from eksnetpol.facts.owners import THE_ADDON, Owners
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.rivals import Ground, Rival
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.eks import Cluster
from eksnetpol.model.kubernetes import CustomObject, Node
from eksnetpol.model.plan import Refusal, Way
from eksnetpol.model.snapshot import Seen
from eksnetpol.planning import places, refusals
from eksnetpol.planning.disable_policies import Stock, in_words, tracked, where
from eksnetpol.planning.draft import Draft, refused
from eksnetpol.planning.enable_addon import FORGOTTEN
from eksnetpol.planning.looks import counted
from eksnetpol.planning.reading import known, need
from eksnetpol.policy.isolation import Isolation

# --- what speaks against it ---------------------------------------------------------------------------------------------


_MOST = 10


def speaks_against(facts: Lookup, there: Stock, way: Way | None, *, keeps: bool) -> Draft:
    """Return why network policy is not switched off as things are, and what to be warned of beside that."""
    found = [*refusals.under_way(facts), *_owned(facts, way), *_closed(facts)]
    warnings: list[str] = []
    cni: VpcCni | None = known(facts, "vpc_cni")
    if keeps and there.endpoints and cni is not None and cni.agent_is_on:
        refusal, warning = _survives(facts, len(there.endpoints))
        found += refusal
        warnings += warning
    if not keeps:
        for tool, number in tracked(there.policies).items():
            found.append(
                Refusal(
                    f"{tool} tracks {number:,} of the policies and would create them again, even before the controller is off: "
                    f"suspend {tool} or take them out of its source first, or leave them with --keep-policies",
                    refusals.TAKE_OVER,
                )
            )
    return refused(*found) + Draft(warnings=tuple(warnings))


def _owned(facts: Lookup, way: Way | None) -> Iterator[Refusal]:
    owners: Owners = need(facts, "owners")
    objects = tuple(map(str, (places.AWS_NODE, places.SETTINGS)))
    if way is Way.ADDON:
        yield from refusals.foreign(owners, (THE_ADDON,))
        yield from refusals.foreign(owners, objects, but=FORGOTTEN)
    else:
        yield from refusals.foreign(owners, objects)


def _closed(facts: Lookup) -> Iterator[Refusal]:
    """Yield why pods would be closed without policies rather than open: the default of their nodes is."""
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is not None and cni.is_strict and cni.agent_is_on:
        yield Refusal(
            "the enforcing mode is strict: a pod that no policy selects is closed, and stays so until it is replaced. Set "
            "NETWORK_POLICY_ENFORCING_MODE to standard and replace the pods first"
        )
    classes: tuple[CustomObject, ...] = known(facts, "node_classes", ())
    closed = [c.metadata.name for c in classes if c.spec.get("networkPolicy") == "DefaultDeny"]
    if closed:
        yield Refusal(
            f"NodeClass {', '.join(closed)} says networkPolicy DefaultDeny: without policies every pod of its nodes is closed. "
            "Set it to DefaultAllow and let the nodes be replaced first"
        )


def _survives(facts: Lookup, endpoints: int) -> tuple[list[Refusal], list[str]]:
    """Return why the agents may not outlive being switched off while endpoints are left, and what to be warned of."""
    agent = facts.get("agent_release")
    left = counted(endpoints, "PolicyEndpoint")
    if not isinstance(agent, Seen):
        why = f"which agent runs cannot be told ({agent.reason})"
        return [Refusal(f"{why}, and older ones crash when they are switched off with {left} left")], []
    least = matrix().feature["disable-with-endpoints"].agent
    if agent.value.base < places.CRASHES_BEFORE:
        return [
            Refusal(
                f"agent {agent.value} crashes again and again when it is switched off with {left} left, as it is with "
                "--keep-policies: upgrade first (eksnetpol upgrade), or disable without --keep-policies and restore"
            )
        ], []
    if least is not None and agent.value.base < least:
        return [], [f"agent {agent.value} watches PolicyEndpoints although it is switched off; {least} is the first not to"]
    return [], []


# --- words --------------------------------------------------------------------------------------------------------------


def in_other_words(facts: Lookup, there: Stock, *, keeps: bool) -> Draft:
    """Return what to know before saying yes, what it costs, and what is left to do."""
    said = [f"there are {in_words(there.policies)} {where(there.policies)}".rstrip()] if there.policies else []
    said.append(f"{counted(len(there.endpoints), 'PolicyEndpoint')} were made from them")
    cluster: Cluster | None = known(facts, "cluster")
    if cluster is not None and cluster.has_auto_mode:
        said.append("the controller's switch is one for all nodes: those of EKS Auto Mode stop enforcing as well")
    warnings = list(_costs(facts) if keeps else _losses(facts, there))
    after = [*_recycling(facts, there, keeps=keeps)]
    if not keeps and there.policies:
        after.append("the policies are in the run's back-up: eksnetpol restore puts them back")
    return Draft(facts=tuple(said), warnings=tuple(warnings), afterwards=(*after, "see that nothing is left: eksnetpol status"))


def _costs(facts: Lookup) -> Iterator[str]:
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is not None and cni.agent_is_on:
        yield (
            "with --keep-policies the agents are off before the endpoints go, so what they loaded into the kernels stays: pods "
            "keep the rules of that moment, which let no new peers in, until each pod or its node is replaced"
        )
    yield (
        "AWS says never to delete PolicyEndpoints by hand: the controller would write them again. Here they are deleted once "
        "it is off, because their owners, the policies, stay, and nothing else would take them away"
    )


def _losses(facts: Lookup, there: Stock) -> Iterator[str]:
    if not there.policies:
        return
    rivals: tuple[Rival, ...] = known(facts, "rivals", ())
    for rival in rivals:
        presence = rival.presence
        if presence.life is not Life.RESIDUE and presence.enforces:
            ground = " on hybrid nodes" if rival.ground is Ground.APART else ""
            yield (
                f"{presence.title} enforces NetworkPolicies{ground} as well: deleting them takes them from it too. "
                "--keep-policies leaves them there"
            )


def _recycling(facts: Lookup, there: Stock, *, keeps: bool) -> Iterator[str]:
    """Yield which nodes keep programs of the agent in their kernel: those with pods that were policed."""
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is None or cni.agent is None:
        return
    nodes = _policed_nodes(facts, there)
    open_ = "what the agent loaded stays in their kernels until then, open"
    why = "their pods keep the last rules until then" if keeps else open_
    if nodes is None:
        yield f"replace the nodes whose pods were policed, a few at a time: {why}; which they are could not be told"
    elif nodes:
        makers = [f"{maker} ({len(members)})" for maker, members in fold(nodes).items()]
        more = f" and {len(makers) - _MOST:,} more" if len(makers) > _MOST else ""
        groups = ", ".join(makers[:_MOST]) + more
        yield f"replace {counted(len(nodes), 'node')}, a few at a time: {why}: {groups}"


def _policed_nodes(facts: Lookup, there: Stock) -> Sequence[Node] | None:
    kinds: NodeKinds | None = known(facts, "node_kinds")
    isolation: Isolation | None = known(facts, "isolation")
    if kinds is None or isolation is None:
        return None
    if any(not p.kind.namespaced for p in there.policies):
        # Policies of the whole cluster may police any pod.
        return kinds.linux_ec2
    classes = isolation.universe.members(isolation.either & isolation.policed)
    spared = {node.name for node in kinds.linux_ec2}
    for one in classes:
        spared.difference_update([pod.spec.node_name for pod in one.pods])
        if not spared:
            # Pods are many times the nodes.
            return kinds.linux_ec2
    return [node for node in kinds.linux_ec2 if node.name not in spared]
