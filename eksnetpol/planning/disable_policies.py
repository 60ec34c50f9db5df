"""What becomes of the policies when network policy is switched off, and of the PolicyEndpoints that were made from them.

The controller puts a finalizer on every policy and takes it off only while it is switched on: a policy that is deleted after that
hangs in Terminating, and its namespace with it (aws/amazon-vpc-cni-k8s#567). Its PolicyEndpoints are owned by the policy, so the
API server's own garbage collector takes them away, whether the controller runs or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.tracking import trackers
from eksnetpol.model import kinds
from eksnetpol.model.actions import BackUp, Delete, Look, ObjectId, Restore, StripFinalizer
from eksnetpol.model.conditions import Absent, All, BackedUp, NoneLeft, Restored, Unfinalized
from eksnetpol.model.kinds import Kind, ObjectRef
from eksnetpol.model.kubernetes import ObjectMeta
from eksnetpol.model.plan import Step, Undo
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.planning.looks import counted
from eksnetpol.planning.reading import need

BACKUP = "policies.json"
"""The file of the run that holds the policies."""

FINALIZERS: Mapping[Kind, str] = {
    kinds.NETWORK_POLICY: "networking.k8s.aws/resources",
    kinds.APPLICATION_POLICY: "networking.k8s.aws/anp-resources",
    kinds.CLUSTER_POLICY: "networking.k8s.aws/cnp-resources",
}
"""Kinds that the controller resolves, and the finalizer it puts on each (aws/amazon-network-policy-controller-k8s)."""

ENDPOINTS = (str(kinds.POLICY_ENDPOINT), str(kinds.CLUSTER_POLICY_ENDPOINT))

_SECTIONS: Mapping[Kind, str] = {
    kinds.NETWORK_POLICY: "network_policies",
    kinds.APPLICATION_POLICY: "application_policies",
    kinds.CLUSTER_POLICY: "cluster_policies",
}
_LEAST_PATIENCE = 600.0
_SECONDS_EACH = 0.5
"""The controller takes a policy back in well under a second; it does so for a few at once."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of one of the kinds of `FINALIZERS`."""

    kind: Kind
    meta: ObjectMeta
    id: ObjectId = field(init=False)
    """Which object it is, and no later one of its name."""

    def __post_init__(self) -> None:
        # Asked for many times, for each of many.
        one = ObjectId(ObjectRef.to(self.kind, self.meta.name, self.meta.namespace), self.meta.uid)
        object.__setattr__(self, "id", one)

    @property
    def is_held(self) -> bool:
        """True when it cannot go before the controller, or somebody, takes the finalizer off."""
        return FINALIZERS[self.kind] in self.meta.finalizers


@dataclass(frozen=True, slots=True)
class Stock:
    """Every policy, and every object that the controller made from them."""

    policies: tuple[Policy, ...]
    endpoints: tuple[ObjectId, ...]
    orphans: tuple[ObjectId, ...]
    """Endpoints of policies that are no more, so that nobody takes them away."""
    served: frozenset[ObjectId]
    """Policies that endpoints were made from."""

    @property
    def held(self) -> tuple[Policy, ...]:
        """Policies that the controller has, or had, to do with."""
        return tuple(p for p in self.policies if p.is_held or p.id in self.served)


def stock(facts: Lookup) -> Stock:
    """Return what there is; raise `Denied` or `EksNetpolError` where a kind was not read, for nothing may be left behind."""
    policies = tuple(Policy(kind, found.metadata) for kind, name in _SECTIONS.items() for found in need(facts, name))
    by_uid = {p.meta.uid: p.id for p in policies if p.meta.uid}
    by_name = {(p.meta.namespace, p.meta.name, p.kind.namespaced): p.id for p in policies}
    endpoints: list[ObjectId] = []
    orphans: list[ObjectId] = []
    served: set[ObjectId] = set()
    for kind, name in ((kinds.POLICY_ENDPOINT, "policy_endpoints"), (kinds.CLUSTER_POLICY_ENDPOINT, "cluster_policy_endpoints")):
        found: tuple[PolicyEndpoint, ...] = need(facts, name)
        for endpoint in found:
            meta = endpoint.metadata
            one = ObjectId(ObjectRef.to(kind, meta.name, meta.namespace), meta.uid)
            owner = next((by_uid[o.uid] for o in meta.owner_references if o.uid in by_uid), None)
            if owner is None and not meta.owner_references:
                of = endpoint.spec.policy_ref
                owner = by_name.get((of.namespace, of.name, kind.namespaced))
            endpoints.append(one)
            if owner is None:
                orphans.append(one)
            else:
                served.add(owner)
    return Stock(policies, tuple(endpoints), tuple(orphans), frozenset(served))


# --- steps --------------------------------------------------------------------------------------------------------------


def back_up(policies: Sequence[Policy]) -> Step:
    """Return the step that writes *policies* whole into a file of the run."""
    ids = _ids(policies)
    return Step(
        id="back-up",
        title=f"Write {in_words(policies)} into the run's file {BACKUP}",
        action=BackUp(ids, BACKUP),
        until=BackedUp(BACKUP, ids),
        patience=_patience(len(ids)),
    )


def delete(policies: Sequence[Policy], *, held_by_controller: bool) -> Step:
    """Return the step that deletes *policies*; with *held_by_controller* it is the controller that lets them go."""
    ids = _ids(policies)
    how = ", with the controller still on to let them go" if held_by_controller else ""
    return Step(
        id="delete-policies",
        title=f"Delete {in_words(policies)}{how}",
        action=Delete(ids),
        until=Absent(ids),
        patience=_patience(len(ids)),
        undo=Undo(title=f"Create {in_words(policies)} again", action=Restore(BACKUP), until=Restored(BACKUP)),
        disrupts="from here on nothing is isolated: every connection that policies closed is open",
    )


def endpoints_gone(stock: Stock) -> Step:
    """Return the step after which no endpoint is left; those of policies that are no more are deleted by it."""
    said = f", and delete {counted(len(stock.orphans), 'one')} whose policy is no more" if stock.orphans else ""
    return Step(
        id="endpoints-gone",
        title=f"Wait until no PolicyEndpoint is left{said}",
        action=Delete(stock.orphans) if stock.orphans else Look(),
        until=NoneLeft(ENDPOINTS),
        patience=_patience(len(stock.endpoints)),
    )


def delete_endpoints(stock: Stock) -> Step:
    """Return the step that deletes all endpoints while their policies stay. Only right when the controller is off: it would write
    them again, and calls the deletion undefined. There is no way back but the controller's: switched on, it makes them anew.
    """
    return Step(
        id="delete-endpoints",
        title=f"Delete {counted(len(stock.endpoints), 'PolicyEndpoint')}, which nobody renews any more",
        action=Delete(stock.endpoints, kinds=ENDPOINTS),
        until=NoneLeft(ENDPOINTS),
        patience=_patience(len(stock.endpoints)),
    )


def strip(policies: Iterable[Policy]) -> Iterator[Step]:
    """Yield a step for each kind that takes the controller's finalizer off. Switched on, the controller puts it on again."""
    by_kind: dict[Kind, list[Policy]] = {}
    for policy in policies:
        by_kind.setdefault(policy.kind, []).append(policy)
    for kind, members in by_kind.items():
        ids = _ids(members)
        yield Step(
            id=f"free-{kind.plural}",
            title=f"Take the controller's finalizer off {in_words(members)}",
            action=StripFinalizer(ids, FINALIZERS[kind]),
            until=Unfinalized(ids, FINALIZERS[kind]),
            patience=_patience(len(ids)),
        )


def leavings() -> tuple[Step, ...]:
    """Return the steps that free all policies of a controller that is off, whatever their names, and delete all endpoints.

    Otherwise a policy hangs in Terminating as soon as somebody deletes it. Where nothing was left behind they do nothing.
    """
    frees = [
        Step(
            id=f"free-{kind.plural}",
            title=f"Take the controller's finalizer off every {kind.name}",
            action=StripFinalizer((), finalizer, kinds=(str(kind),)),
            until=Unfinalized((), finalizer, kinds=(str(kind),)),
            patience=_LEAST_PATIENCE,
        )
        for kind, finalizer in FINALIZERS.items()
    ]
    gone = Step(
        id="delete-endpoints",
        title="Delete every PolicyEndpoint, which nobody renews any more",
        action=Delete((), kinds=ENDPOINTS),
        until=NoneLeft(ENDPOINTS),
        patience=_LEAST_PATIENCE,
    )
    proof = Step(
        id="nothing-left",
        title="See that no PolicyEndpoint and no finalizer of the controller came back",
        action=Look(),
        until=All((gone.until, *(free.until for free in frees))),
        patience=_LEAST_PATIENCE,
    )
    return (*frees, gone, proof)


def free_and_gone(policies: Sequence[Policy], stock: Stock) -> tuple[Step, ...]:
    """Return the steps that delete *policies* where the controller is off already and holds some of them nevertheless."""
    return (
        back_up(policies),
        *strip(p for p in policies if p.is_held),
        delete(policies, held_by_controller=False),
        endpoints_gone(stock),
    )


def _ids(policies: Iterable[Policy]) -> tuple[ObjectId, ...]:
    return tuple(sorted(p.id for p in policies))


def _patience(number: int) -> float:
    return max(_LEAST_PATIENCE, number * _SECONDS_EACH)


# --- words --------------------------------------------------------------------------------------------------------------


def in_words(policies: Iterable[Policy]) -> str:
    """Return how many policies of which kinds: ``3 NetworkPolicies and 1 ClusterNetworkPolicy``."""
    counts = Counter(p.kind.name for p in policies)
    said = [f"{number:,} {name if number == 1 else name.removesuffix('y') + 'ies'}" for name, number in counts.items()]
    return " and ".join(said) or "no policies"


def where(policies: Iterable[Policy], most: int = 5) -> str:
    """Return the namespaces of *policies* with their numbers, the fullest first: ``in shop (3), web (1)``."""
    counts = Counter(p.meta.namespace for p in policies if p.meta.namespace)
    named = [f"{name} ({number:,})" for name, number in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return f"in {', '.join(named[:most])}{more}" if named else ""


def tracked(policies: Iterable[Policy]) -> dict[str, int]:
    """Return how many of *policies* each tool tracks that writes again what somebody deleted."""
    counts: Counter[str] = Counter()
    for policy in policies:
        counts.update({t.tool for t in trackers(policy.meta.labels, policy.meta.annotations) if t.restores})
    return dict(counts)


def all_of(stock: Stock) -> All:
    """Return the condition that nothing of the controller's is left."""
    held = {kind: _ids(p for p in stock.policies if p.kind == kind) for kind in FINALIZERS}
    return All((NoneLeft(ENDPOINTS), *(Unfinalized(ids, FINALIZERS[kind]) for kind, ids in held.items() if ids)))
