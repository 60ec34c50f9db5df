"""One policy as what a stack asks: a `StackPolicy` for each place that rules have in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eksnetpol.engines.antrea.ports import Spoken, further, spoken_of
from eksnetpol.engines.antrea.refusals import rules_of
from eksnetpol.engines.antrea.schema import AppliedTo, Peer, PolicySpec, Rule
from eksnetpol.engines.antrea.selecting import Meaning
from eksnetpol.engines.kubernetes_policies import all_of
from eksnetpol.model.findings import Subject
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula, Unknowable
from eksnetpol.policy.stacks.rules import Does, StackPolicy, StackRule

_DOES: Mapping[str, Does] = {"Allow": Does.ALLOW, "Drop": Does.DENY, "Reject": Does.DENY, "Pass": Does.PASS}

_GATEWAY = "a nodeSelector also means the address of Antrea's own gateway on a node, which the API does not tell"


class Reading:
    """One policy while it is read. ``notes`` say what answers depend on."""

    def __init__(self, ref: Subject, spec: PolicySpec, meaning: Meaning, labels: dict[str, str]) -> None:
        self.ref = ref
        self.spec = spec
        self.meaning = meaning
        self.labels = labels
        self.rules = tuple(rules_of(spec))
        self.subjects = (*spec.applied_to, *(subject for _, rule in self.rules for subject in rule.applied_to))

    def steps(self) -> list[StackPolicy]:
        """Return a policy for each place that rules have in it, or one without rules.

        Raises `NotTaken` and `NotRead` for what is seen only when it is read.
        """
        subject = self.meaning.subjects(self.subjects, "spec.appliedTo")
        at: dict[int, list[StackRule]] = {}
        for place, rule in self.rules:
            number = int(place.rpartition("[")[2].rstrip("]"))
            at.setdefault(number, []).extend(self._rules(place, rule))
        today = tuple(dict.fromkeys(self.meaning.looked_up(self.subjects)))
        return [
            StackPolicy(self.ref, subject, frozenset(), tuple(at.get(number, ())), self.labels, today)
            for number in sorted(at) or (0,)
        ]

    def notes(self) -> Iterator[str]:
        """Yield what answers depend on beside what the policy says."""
        if any(s.node_selector is not None for s in self.subjects):
            yield f"{self.ref} holds for nodes: what they refuse is not looked at"
        if any(s.external_entity_selector is not None for s in self.subjects):
            yield f"{self.ref} holds for machines outside the cluster: what they refuse is not looked at"
        if any(p.node_selector is not None for _, rule in self.rules for p in (*rule.from_, *rule.to)):
            yield _GATEWAY

    def _rules(self, place: str, rule: Rule) -> Iterator[StackRule]:
        direction = Direction.EGRESS if place.startswith("spec.egress") else Direction.INGRESS
        local = self.meaning.subjects(rule.applied_to, f"{place}.appliedTo") if rule.applied_to else EVERYBODY
        entries: list[Peer | AppliedTo] = [*rule.applied_to, *rule.from_, *rule.to]
        today = tuple(dict.fromkeys(self.meaning.looked_up(entries, rule.to_services or ())))
        for peer, part in self._parts(place, rule):
            yield StackRule(
                direction,
                _DOES[rule.action],
                peer=all_of((peer, part.where)),
                local=local,
                connections=part.connections,
                names=part.names,
                source_ports=part.source_ports,
                judged_further=further(rule),
                place=place,
                today=today,
            )

    def _parts(self, place: str, rule: Rule) -> Iterator[tuple[Formula, Spoken]]:
        if rule.to_services is not None:
            for peer, connections, names in self.meaning.services(rule.to_services):
                yield peer, Spoken(connections, names)
            return
        peer = self.meaning.peers((*rule.from_, *rule.to))
        ported = _through_node_ports(rule.applied_to or self.spec.applied_to)
        for part in spoken_of(place, rule):
            yield all_of((peer, ported)), part


def _through_node_ports(subjects: Iterable[AppliedTo]) -> Formula:
    """Return what is to be true of the peers of what holds for Services: their node ports are policed, and not their pods."""
    services = [f"{s.service.namespace}/{s.service.name}" for s in subjects if s.service is not None]
    return Unknowable(f"whether they come through the node port of {' or '.join(services)}") if services else EVERYBODY
