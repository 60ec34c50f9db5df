"""Live objects against predicted ones: what is missing, left over, out of date or somebody else's.

Objects of one policy are compared as a whole, whatever lies in which, and lists as sets: the controller's order is chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import msgspec

from eksnetpol.model.findings import Finding, Subject
from eksnetpol.model.kubernetes import ObjectMeta, Pod
from eksnetpol.model.policies import PodEndpoint, PolicyEndpoint
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.prediction.addresses import address_of
from eksnetpol.policy.prediction.cluster import KIND as CLUSTER_POLICY
from eksnetpol.policy.prediction.cluster import ResolvedClusterPolicy
from eksnetpol.policy.prediction.entries import differences, doubts, live_entries, predicted_entries
from eksnetpol.policy.prediction.predict import (
    CLUSTER_POLICY_ENDPOINT,
    POLICY_ENDPOINT,
    Prediction,
    Resolved,
    is_left_out,
    isolation_of,
)
from eksnetpol.policy.prediction.resolve import APPLICATION_POLICY, NETWORK_POLICY
from eksnetpol.policy.prediction.rules import RULES
from eksnetpol.policy.rules import Direction

SETTLES = 60
"""Seconds after which a policy has its objects, its finalizer, or is gone."""
STARTS = 30
"""Seconds after which a pod is listed."""
PAYLOAD = 1 << 30
"""Bytes that all agents together read when they all read anew."""
_SHOWN = 5

FINALIZERS: Mapping[str, str] = {
    NETWORK_POLICY: "networking.k8s.aws/resources",
    APPLICATION_POLICY: "networking.k8s.aws/anp-resources",
    CLUSTER_POLICY: "networking.k8s.aws/cnp-resources",
}
_RESOURCES: Mapping[str, str] = {
    NETWORK_POLICY: "networkpolicies.networking.k8s.io",
    APPLICATION_POLICY: "applicationnetworkpolicies.networking.k8s.aws",
    CLUSTER_POLICY: "clusternetworkpolicies.networking.k8s.aws",
    POLICY_ENDPOINT: "policyendpoints.networking.k8s.aws",
    CLUSTER_POLICY_ENDPOINT: "clusterpolicyendpoints.networking.k8s.aws",
}
_RETRIGGER = "Make the controller work it out anew: annotate one of the pods it is about; annotating the policy does nothing."


class Discrepancy(NamedTuple):
    """A rule of `RULES` that does not hold, and of what."""

    rule: str
    finding: Finding


@dataclass(frozen=True)
class Comparison:
    """One comparison. *at* is when the cluster was looked at; without it nothing counts as too young to be settled.

    *hands* are how the names of field managers begin that people and their tools write with.
    """

    prediction: Prediction
    at: datetime | None = None
    hands: tuple[str, ...] = ("kubectl",)
    _found: list[Discrepancy] = field(default_factory=list)

    def run(self) -> tuple[Discrepancy, ...]:
        """Return all that does not hold, in the order of the rules."""
        self._found.clear()
        prediction = self.prediction
        world = prediction.world
        names = prediction.shared_names
        live = _Live(world.policy_endpoints, world.cluster_policy_endpoints)
        for note in prediction.notes:
            if note.subject is not None and note.left_out:
                self._note(note.subject, note.words)
        for namespace, name in names:
            subject = Subject(APPLICATION_POLICY, name, namespace)
            words = "shares its name with a NetworkPolicy: each reconcile replaces the other's objects"
            self._say("names-are-apart", subject, words, "Rename one of the two.")
        for resolved in prediction.everything:
            key = live.key(resolved)
            own, former = live.of(resolved)
            for endpoint in former:
                self._orphan(endpoint, "belongs to an earlier policy of the same name")
            if (key[1], key[2]) in names and key[0] == POLICY_ENDPOINT:
                continue
            if not is_left_out(resolved):
                self._policy(resolved, own)
        for endpoint in live.unowned(prediction.everything):
            self._orphan(endpoint, "belongs to no policy that is there")
        self._weight((*world.policy_endpoints, *world.cluster_policy_endpoints), len(world.nodes))
        order = {rule: i for i, rule in enumerate(RULES)}
        return tuple(sorted(self._found, key=lambda d: (order[d.rule], d.finding.subject)))

    # --- one policy ---------------------------------------------------------------------------------------------------

    def _policy(self, resolved: Resolved, own: Sequence[PolicyEndpoint]) -> None:
        meta, subject = resolved.policy.metadata, resolved.subject
        if meta.deletion_timestamp is not None:
            if self._is_older(meta.deletion_timestamp, SETTLES):
                words = f"has been deleted and waits for {', '.join(meta.finalizers) or 'something'}"
                self._say("policy-ends", subject, words, "Turn the controller on until the policy is gone, then off again.")
            return
        settled = meta.creation_timestamp is None or self._is_older(meta.creation_timestamp, SETTLES)
        if settled and FINALIZERS[subject.kind] not in meta.finalizers:
            words = f"has no finalizer {FINALIZERS[subject.kind]}: the controller has not seen it"
            remedy = "Turn the controller on (enable-network-policy-controller), and see that nothing keeps it from writing."
            command = "kubectl -n kube-system get configmap amazon-vpc-cni -o yaml"
            self._say("policy-has-finalizer", subject, words, remedy, command)
        if not own:
            if settled:
                words = "has no object, so agents do not know it"
                self._say("policy-has-endpoints", subject, words, _RETRIGGER, self._retrigger(resolved))
            return
        self._heads(resolved, own)
        complete = self._pods(resolved, own)
        self._entries(resolved, own, complete=complete)
        self._objects(resolved, own)

    def _heads(self, resolved: Resolved, own: Sequence[PolicyEndpoint]) -> None:
        subject = resolved.subject
        for endpoint in own:
            theirs = _subject(endpoint)
            managers = sorted({m.manager for m in endpoint.metadata.managed_fields if m.manager.startswith(self.hands)})
            if not any(o.controller for o in endpoint.metadata.owner_references):
                words = f"was made by hand for {subject}: no policy owns it, so it stays when the policy goes"
                self._say("controller-writes-alone", theirs, words, _LOOK, _show(theirs))
            elif managers:
                words = f"was written to by {', '.join(managers)}"
                self._say("controller-writes-alone", theirs, words, _RETRIGGER, _show(theirs))
        if isinstance(resolved, ResolvedClusterPolicy):
            return
        wanted = isolation_of(resolved.policy, resolved.kind)
        wrong = [e for e in own if set(e.spec.pod_isolation) != set(wanted)]
        if wrong:
            has = ", ".join(wrong[0].spec.pod_isolation) or "nothing"
            words = f"isolates {has} in {_names(wrong)}, not {', '.join(wanted) or 'nothing'}"
            self._say("isolation-is-current", subject, words, _RETRIGGER, self._retrigger(resolved))
        selector = _canonical(resolved.policy.spec.pod_selector)
        stale = [e for e in own if e.spec.pod_selector is not None and _canonical(e.spec.pod_selector) != selector]
        if stale:
            words = f"selects {resolved.policy.spec.pod_selector}, and {_names(stale)} still {stale[0].spec.pod_selector}"
            command = f"kubectl -n {subject.namespace} get {_RESOURCES[subject.kind]} {subject.name} -o yaml > policy.yaml"
            self._say("selector-is-current", subject, words, "Delete the policy and make it anew from the file.", command)

    def _pods(self, resolved: Resolved, own: Sequence[PolicyEndpoint]) -> bool:
        """Compare listed pods; return whether none is missing."""
        subject = resolved.subject
        listed = [p for e in own for p in e.spec.pod_selector_endpoints]
        wanted = {(p.namespace, p.name): p for p in self._selected(resolved)}
        theirs = {(p.namespace, p.name): p for p in listed}
        again = self._retrigger(resolved)
        missing = [p for key, p in wanted.items() if key not in theirs and self._is_settled(p)]
        if missing:
            which = _some(_paths(missing))
            words = f"selects {_count(missing, 'pod')} that no object lists, so nothing is enforced for them: {which}"
            self._say("pods-are-listed", subject, words, _RETRIGGER, again)
        extra = [f"{p.namespace}/{p.name} ({p.pod_ip})" for key, p in theirs.items() if key not in wanted]
        if extra:
            words = f"lists {_count(extra, 'pod')} that it does not select, or that are not there: {_some(extra)}"
            self._say("listed-pods-are-there", subject, words, _RETRIGGER, again)
        wrong = [_moved(wanted[key], p) for key, p in theirs.items() if key in wanted]
        moved = [words for words in wrong if words]
        if moved:
            self._say("addresses-are-current", subject, f"lists other addresses than are: {_some(moved)}", _RETRIGGER, again)
        twice = [f"{ns}/{name}" for (ns, name), n in Counter((p.namespace, p.name) for p in listed).items() if n > 1]
        if twice:
            self._say("pods-are-listed-once", subject, f"lists {_count(twice, 'pod')} twice: {_some(twice)}", _RETRIGGER, again)
        return not missing

    def _entries(self, resolved: Resolved, own: Sequence[PolicyEndpoint], *, complete: bool) -> None:
        subject, prediction = resolved.subject, self.prediction
        packer = prediction.packer(resolved)
        missing: list[str] = []
        extra: list[str] = []
        recycled: list[str] = []
        for direction in Direction:
            wanted = predicted_entries(prediction, resolved, direction)
            unsure = doubts(prediction, resolved, direction, wanted)
            less, more = differences(wanted, live_entries(own, direction, packer), unsure)
            missing += sorted(f"{direction.lower()} {e}" for e in less)
            extra += sorted(f"{direction.lower()} {e}" for e in more)
            strangers = {e.cidr for e in more} - {key[0] for key in wanted} if more else set()
            taken = ((cidr, self._by_address[cidr]) for cidr in sorted(strangers & self._by_address.keys()))
            recycled += [f"{cidr} is now {p.namespace}/{p.name}'s" for cidr, p in taken]
        again = self._retrigger(resolved)
        if recycled:
            words = f"opens addresses of pods it does not mean: {_some(recycled)}"
            self._say("addresses-are-not-recycled", subject, words, _RETRIGGER, again)
        needed = prediction.count(resolved).objects
        if len(own) < needed and (missing or not complete):
            lost = _count(missing, "entry is", "entries are")
            words = f"has {_count(own, 'object')} of {needed}: {lost} not there: {_some(missing)}"
            self._say("entries-are-complete", subject, words, f"Look again in half a minute. {_RETRIGGER}", again)
        elif missing or extra:
            counted = ((missing, "missing"), (extra, "too many"))
            parts = [f"{_count(some, 'entry', 'entries')} {how}: {_some(some)}" for some, how in counted if some]
            self._say("rules-are-current", subject, "; ".join(parts), _RETRIGGER, again)

    def _objects(self, resolved: Resolved, own: Sequence[PolicyEndpoint]) -> None:
        needed = self.prediction.count(resolved).objects
        if len(own) > needed:
            words = f"has {_count(own, 'object')} where {needed} would do"
            self._say("objects-are-full", resolved.subject, words, "Make the policy anew when that is a burden.")
        if needed > 1:
            words = f"needs {needed} objects, which are written one after the other"
            remedy = "Name fewer pods: narrower selectors, or blocks in their place."
            self._say("objects-are-few", resolved.subject, words, remedy)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _note(self, subject: Subject, words: str) -> None:
        remedy = "Write the protocol of every port, and no named port in a ClusterNetworkPolicy."
        self._say("policy-stops-no-controller", subject, words, remedy)

    def _orphan(self, endpoint: PolicyEndpoint, words: str) -> None:
        count = _count(endpoint.spec.pod_selector_endpoints, "pod")
        subject = _subject(endpoint)
        self._say("endpoint-has-policy", subject, f"{words}; agents enforce it for {count}", _LOOK, _show(subject))

    def _weight(self, endpoints: Iterable[PolicyEndpoint], nodes: int) -> None:
        size = sum(len(msgspec.json.encode(e)) for e in endpoints)
        if size * nodes > PAYLOAD:
            subject = Subject("CustomResourceDefinition", _RESOURCES[POLICY_ENDPOINT])
            words = f"{size >> 20} MiB of objects on {nodes} nodes: {size * nodes >> 30} GiB whenever all agents read anew"
            self._say("objects-are-light", subject, words, "Name fewer pods in peers: narrower selectors, or blocks.")

    def _say(self, rule: str, subject: Subject, message: str, remedy: str, command: str = "") -> None:
        self._found.append(Discrepancy(rule, Finding(subject, message, remedy, command, severity=RULES[rule].severity)))

    @cached_property
    def _by_address(self) -> Mapping[str, Pod]:
        pods = (p for p in self.prediction.world.pods if not p.is_terminal and not p.spec.host_network)
        return {address_of(p): p for p in pods if address_of(p)}

    def _selected(self, resolved: Resolved) -> Iterator[Pod]:
        for pod_class in self.prediction.resolver.universe.members(resolved.selected):
            yield from (p for p in pod_class.pods if address_of(p))

    def _retrigger(self, resolved: Resolved) -> str:
        pod = next(self._selected(resolved), None)
        if pod is None:
            return ""
        return f'kubectl -n {pod.namespace} annotate pod {pod.name} eksnetpol.io/resync="$(date +%s)" --overwrite'

    def _is_settled(self, pod: Pod) -> bool:
        created = pod.metadata.creation_timestamp
        return created is None or self._is_older(created, STARTS)

    def _is_older(self, than: datetime, seconds: int) -> bool:
        return self.at is None or (self.at - than).total_seconds() > seconds


class _Live:
    """Live objects by the policy they name."""

    def __init__(self, endpoints: Iterable[PolicyEndpoint], cluster: Iterable[PolicyEndpoint]) -> None:
        self._by: dict[tuple[str, str, str], list[PolicyEndpoint]] = {}
        for kind, found in ((POLICY_ENDPOINT, endpoints), (CLUSTER_POLICY_ENDPOINT, cluster)):
            for endpoint in found:
                reference = endpoint.spec.policy_ref
                namespace = endpoint.metadata.namespace if kind == POLICY_ENDPOINT else ""
                self._by.setdefault((kind, namespace, reference.name), []).append(endpoint)

    @staticmethod
    def key(resolved: Resolved) -> tuple[str, str, str]:
        """Return what objects of *resolved* are found by."""
        meta = resolved.policy.metadata
        is_cluster = isinstance(resolved, ResolvedClusterPolicy)
        return (CLUSTER_POLICY_ENDPOINT, "", meta.name) if is_cluster else (POLICY_ENDPOINT, meta.namespace, meta.name)

    def of(self, resolved: Resolved) -> tuple[list[PolicyEndpoint], list[PolicyEndpoint]]:
        """Return the objects of *resolved*, and those of a policy that had its name before."""
        own: list[PolicyEndpoint] = []
        former: list[PolicyEndpoint] = []
        for endpoint in self._by.get(self.key(resolved), ()):
            (former if _is_former(endpoint, resolved.policy.metadata, resolved.subject.kind) else own).append(endpoint)
        return own, former

    def unowned(self, everything: Iterable[Resolved]) -> Iterator[PolicyEndpoint]:
        """Yield the objects whose policy is not there."""
        known = {self.key(resolved) for resolved in everything}
        for key, endpoints in self._by.items():
            if key not in known:
                yield from endpoints


def _is_former(endpoint: PolicyEndpoint, meta: ObjectMeta, kind: str) -> bool:
    owners = [o for o in endpoint.metadata.owner_references if o.controller and o.kind == kind]
    return bool(meta.uid) and any(o.uid for o in owners) and all(o.uid != meta.uid for o in owners)


_LOOK = "Find out whose it is; delete it only once no policy needs it, and replace the nodes of its pods then."


def _subject(endpoint: PolicyEndpoint) -> Subject:
    meta = endpoint.metadata
    return Subject(POLICY_ENDPOINT if meta.namespace else CLUSTER_POLICY_ENDPOINT, meta.name, meta.namespace)


def _show(subject: Subject) -> str:
    place = f"-n {subject.namespace} " if subject.namespace else ""
    return f"kubectl {place}get {_RESOURCES[subject.kind]} {subject.name} -o yaml --show-managed-fields"


def _canonical(selector: LabelSelector) -> tuple[object, ...]:
    parts = {(r.key, r.operator, frozenset(r.values)) for r in selector.match_expressions}
    return frozenset(selector.match_labels.items()), frozenset(parts)


def _moved(pod: Pod, listed: PodEndpoint) -> str:
    if listed.pod_ip != address_of(pod):
        return f"{pod.namespace}/{pod.name} is at {address_of(pod)}, not {listed.pod_ip}"
    if listed.host_ip != pod.status.host_ip:
        return f"{pod.namespace}/{pod.name} is on {pod.status.host_ip or 'no node'}, not {listed.host_ip or 'no node'}"
    return ""


def _paths(pods: Iterable[Pod]) -> Iterator[str]:
    return (f"{p.namespace}/{p.name}" for p in pods)


def _names(endpoints: Iterable[PolicyEndpoint]) -> str:
    return _some(e.metadata.name for e in endpoints)


def _some(words: Iterable[str]) -> str:
    found = list(words)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _count(things: Sequence[object], one: str, many: str = "") -> str:
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"
