"""Whom a formula means, as peers of a NetworkPolicy under the VPC CNI.

There, a selector means pods on the host network too, and a block means pods and nodes as well as what is outside; the node of a
pod is always let through. So one clause of a formula may come to several peers, or to fewer than it means: never to more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.cidrs import NO_ADDRESSES, CidrSet
from eksnetpol.policy.stacks.algebra import Clause, TooMany, clauses, conjunction
from eksnetpol.policy.stacks.clauses import KINDS, NAME_LABEL
from eksnetpol.policy.stacks.ends import end_of_pod, holds
from eksnetpol.policy.stacks.formulas import (
    And,
    Atom,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    Scope,
    Test,
    Within,
)
from eksnetpol.translation.effort import Effort
from eksnetpol.translation.ground import A_GUESS, Inventory
from eksnetpol.translation.vpc import of

Json = dict[str, Any]

_GONE = frozenset({EndKind.HEALTH, EndKind.GATEWAY, EndKind.ELSEWHERE})
"""Kinds of ends that are there under the source engine alone. Who is meant by all but these is everybody afterwards."""

_PODS_ANYWHERE = frozenset({EndKind.POD, EndKind.HOST_POD, EndKind.ELSEWHERE})

OTHER_CLUSTERS = "no NetworkPolicy can name pods of another cluster; blocks of their addresses would have to be written by hand"
"""What is said where the source engine lets pods through that are in other clusters."""

_BLOCKS = 256
"""So many blocks may stand in one rule."""


@dataclass
class Said:
    """Peers of one rule. ``everybody``: no peer list at all, which means everybody. ``now`` and ``lost`` as for formulas."""

    peers: list[Json] = field(default_factory=list)
    everybody: bool = False
    now: dict[str, None] = field(default_factory=dict)
    lost: dict[str, None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True where nobody is meant."""
        return not self.everybody and not self.peers

    def add(self, peer: Json) -> None:
        """Add *peer*, once."""
        if peer not in self.peers:
            self.peers.append(peer)


@dataclass
class Peers:
    """Writes peers. ``limit`` is how many clauses a formula may come to."""

    inventory: Inventory
    limit: int
    effort: Effort = field(default_factory=Effort)
    _known: dict[tuple[Formula, str, bool], Said] = field(default_factory=dict, repr=False)

    def of(self, formula: Formula, namespace: str, *, pods_only: bool = False) -> Said:
        """Return *formula* as peers of a policy in *namespace*; with *pods_only* those that give a port its name."""
        key = (formula, namespace, pods_only)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._of(formula, namespace, pods_only=pods_only)
        return known

    def _of(self, formula: Formula, namespace: str, *, pods_only: bool) -> Said:
        said = Said()
        if pods_only:
            formula = conjunction(formula, Is(frozenset({EndKind.POD, EndKind.HOST_POD})))
        try:
            found = self.effort.clauses(formula, self.limit)
        except TooMany:
            said.lost[f"whom it means comes to more than {self.limit} combinations of conditions"] = None
            return said
        for clause in found:
            self._clause(clause, namespace, said)
        if said.everybody:
            said.peers.clear()
        return said

    # --- one clause ---------------------------------------------------------------------------------------------------

    def _clause(self, clause: Clause, namespace: str, said: Said) -> None:
        labels = tuple(a for a in clause.holds if isinstance(a, Label | Named))
        unlike = tuple(a for a in clause.fails if isinstance(a, Label | Named))
        has_block = any(isinstance(a, Within) for a in (*clause.holds, *clause.fails))
        here = self._block(clause)
        if clause.kinds | _GONE == KINDS and not labels and not unlike:
            if has_block:
                # Who may reach every pod may reach every Service.
                everywhere = self.inventory.addresses.holds_all_pods(here)
                self._blocks(here if everywhere else self._without_services(here, said), said)
            else:
                said.everybody = True
            return
        covered = EndKind.POD not in clause.kinds
        if EndKind.POD in clause.kinds and self._within_pods(clause, here, said, has_block=has_block):
            covered = self._pods(clause, labels, unlike, namespace, said)
        if EndKind.HOST_POD in clause.kinds and (EndKind.POD not in clause.kinds or not covered):
            said.lost["pods on the host network are not told from other pods"] = None
        if EndKind.ELSEWHERE in clause.kinds and clause.kinds <= _PODS_ANYWHERE:
            said.lost[OTHER_CLUSTERS] = None
        if labels:
            return
        if EndKind.OUTSIDE in clause.kinds:
            self._outside(here, said, named=any(isinstance(a, Within) for a in clause.holds))
        if EndKind.NODE in clause.kinds and here & self.inventory.addresses.pods_live_in:
            said.lost["nodes other than a pod's own cannot be told from pods by their addresses"] = None

    def _block(self, clause: Clause) -> CidrSet:
        here = self.inventory.addresses.family
        for atom in clause.holds:
            if isinstance(atom, Within):
                here = here & of(tuple(sorted(atom.networks, key=str)))
        for atom in clause.fails:
            if isinstance(atom, Within):
                here = here - of(tuple(sorted(atom.networks, key=str)))
        return here

    def _within_pods(self, clause: Clause, here: CidrSet, said: Said, *, has_block: bool) -> bool:
        """Say whether the pods of a clause are to be written; where only some of them have fitting addresses, they are not."""
        addresses = self.inventory.addresses
        if not has_block or addresses.holds_all_pods(here):
            return True
        if not addresses.known:
            said.now[A_GUESS] = None
        if not addresses.holds_no_pod(here):
            words = "pods that are meant by labels and by address at once cannot be said"
            if clause.kinds == frozenset({EndKind.POD}) and not any(isinstance(a, Label | Named) for a in clause.holds):
                words = "pods in a block cannot be told from what else is there"
            said.lost[words] = None
        return False

    def _without_services(self, here: CidrSet, said: Said) -> CidrSet:
        """Return blocks without where Services get their addresses: one there would be a way around what is denied."""
        addresses = self.inventory.addresses
        if here & addresses.services_guessed:
            said.lost["where Services get their addresses is not known, and what is around those of today is left out"] = None
        return here - addresses.services

    def _blocks(self, here: CidrSet, said: Said) -> None:
        blocks = list(here.cidrs())
        if len(blocks) > _BLOCKS:
            said.lost[f"its addresses come to more than {_BLOCKS} blocks"] = None
            return
        for block in blocks:
            said.add({"ipBlock": {"cidr": str(block)}})

    def _outside(self, here: CidrSet, said: Said, *, named: bool) -> None:
        """Write what is outside. *named*: somebody named blocks of it, so that what is in them is meant, and no pod of later."""
        safe, idle, lost = self.inventory.addresses.without_pods(self._without_services(here, said))
        if not named:
            idle, lost = NO_ADDRESSES, idle | lost
        if idle:
            said.now["blocks inside the VPC are written because no pod or node has an address there today"] = None
        if lost:
            said.lost["a block that holds addresses of pods means these too, so addresses of the VPC itself are left out"] = None
        self._blocks(safe | idle, said)
        if not self.inventory.addresses.known and (safe or lost):
            said.now[A_GUESS] = None

    # --- pods ---------------------------------------------------------------------------------------------------------

    def _pods(self, clause: Clause, labels: tuple[Atom, ...], unlike: tuple[Atom, ...], namespace: str, said: Said) -> bool:
        """Write the pods of a clause; say whether pods on the host network are among them."""
        if EndKind.HOST_POD in clause.kinds:
            said.add(_item(labels, unlike, namespace))
            return True
        whole = And((*labels, *map(Not, unlike)))
        hosts = [pod for pod in self.hosts if holds(whole, end_of_pod(self.inventory.world, pod))]
        if not hosts:
            said.add(_item(labels, unlike, namespace))
            return False
        apart = [self._apart(host, whole) for host in hosts]
        telling = [one for one in apart if one is not None]
        if len(telling) < len(apart):
            names = ", ".join(sorted(f"{h.namespace}/{h.name}" for h, one in zip(hosts, apart, strict=True) if one is None)[:3])
            said.lost[f"a selector means pods on the host network too, and no label tells these from others: {names}"] = None
            return False
        said.now["pods on the host network are left out by labels that only they have today"] = None
        without = conjunction(whole, *(Not(one) for one in dict.fromkeys(telling)))
        try:
            found = self.effort.clauses(conjunction(Is(frozenset({EndKind.POD})), without), self.limit)
        except TooMany:
            said.lost["a selector means pods on the host network too, and leaving these out takes too many selectors"] = None
            return False
        for one in found:
            own = tuple(a for a in one.holds if isinstance(a, Label | Named))
            others = tuple(a for a in one.fails if isinstance(a, Label | Named))
            said.add(_item(own, others, namespace))
        return False

    @cached_property
    def hosts(self) -> tuple[Pod, ...]:
        """Pods on the host network; of those with one owner, one."""
        found: dict[tuple[str, tuple[tuple[str, str], ...]], Pod] = {}
        for pod in self.inventory.world.pods:
            if pod.spec.host_network and not pod.is_terminal:
                found.setdefault((pod.namespace, tuple(sorted(pod.labels.items()))), pod)
        return tuple(found.values())

    @cached_property
    def _others(self) -> Mapping[str, tuple[Pod, ...]]:
        found: dict[str, list[Pod]] = {}
        for pod in self.inventory.world.pods:
            if not pod.spec.host_network and not pod.is_terminal:
                found.setdefault(pod.namespace, []).append(pod)
        return {namespace: tuple(pods) for namespace, pods in found.items()}

    def _apart(self, host: Pod, meant: Formula) -> Formula | None:
        """Return what tells *host* from all the pods of its namespace that are *meant*; None where nothing does."""
        others = [p for p in self._others.get(host.namespace, ()) if holds(meant, end_of_pod(self.inventory.world, p))]
        here = Named(Scope.NAMESPACE, frozenset({host.namespace}))
        if not others:
            return here
        for key, value in sorted(host.labels.items()):
            if not any(p.labels.get(key) == value for p in others):
                return And((here, Label(Scope.POD, key, Test.IN, frozenset({value}))))
        return None


# --- selectors --------------------------------------------------------------------------------------------------------


def _item(labels: Iterable[Atom], unlike: Iterable[Atom], namespace: str) -> Json:
    """Return one peer; in the policy's own namespace by labels of pods alone."""
    labels, unlike = tuple(labels), tuple(unlike)
    own = selector((a for a in labels if _scope(a) is Scope.POD), (a for a in unlike if _scope(a) is Scope.POD))
    near = tuple(a for a in labels if _scope(a) is Scope.NAMESPACE)
    far = tuple(a for a in unlike if _scope(a) is Scope.NAMESPACE)
    if near == (Named(Scope.NAMESPACE, frozenset({namespace})),) and not far:
        return {"podSelector": own}
    item: Json = {"namespaceSelector": selector(near, far)}
    if own:
        item["podSelector"] = own
    return item


def _scope(atom: Atom) -> Scope | None:
    return atom.scope if isinstance(atom, Label | Named) else None


def selector(holds_: Iterable[Atom], fails: Iterable[Atom]) -> Json:
    """Return labels that must be as these atoms ask, and not as *fails* do, as a LabelSelector."""
    labels: dict[str, str] = {}
    expressions: list[Json] = []
    for atom in holds_:
        key, values = _asked(atom)
        if values is None:
            expressions.append({"key": key, "operator": "Exists"})
        elif len(values) == 1 and key not in labels:
            labels[key] = values[0]
        else:
            expressions.append({"key": key, "operator": "In", "values": values})
    for atom in fails:
        key, values = _asked(atom)
        if values is None:
            expressions.append({"key": key, "operator": "DoesNotExist"})
        else:
            expressions.append({"key": key, "operator": "NotIn", "values": values})
    found: Json = {}
    if labels:
        found["matchLabels"] = dict(sorted(labels.items()))
    if expressions:
        found["matchExpressions"] = sorted(expressions, key=lambda e: (e["key"], e["operator"]))
    return found


def _asked(atom: Atom) -> tuple[str, list[str] | None]:
    match atom:
        case Named():
            return NAME_LABEL, sorted(atom.names)
        case Label(test=Test.EXISTS):
            return atom.key, None
        case Label():
            return atom.key, sorted(atom.values)
        case _:
            raise TypeError(f"{atom} asks for no label")


def subjects(formula: Formula, limit: int) -> Iterator[Json]:
    """Yield pod selectors that together mean *formula*, which is of labels of pods alone. Raises `TooMany`."""
    for clause in clauses(formula, limit):
        if EndKind.POD in clause.kinds:
            yield selector(
                (a for a in clause.holds if isinstance(a, Label)),
                (a for a in clause.fails if isinstance(a, Label)),
            )
