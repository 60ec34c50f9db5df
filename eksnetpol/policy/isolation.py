"""Which pods a set of policies isolates, and by which policies.

As in Kubernetes: a pod is isolated in a direction as soon as one policy of its namespace selects it and lists that direction;
policies add up. Pods on the host network are never policed by the VPC CNI's agent (aws/aws-network-policy-agent, since v1.3.2
explicitly), so they are left out of every set here but `selected`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.universe import Classes, PodClass, Universe


@dataclass(frozen=True, slots=True)
class Subjects:
    """A policy and the classes of pods it selects, host network and finished pods included."""

    policy: NetworkPolicy
    selected: Classes
    kind: str = "NetworkPolicy"

    @property
    def subject(self) -> Subject:
        """The policy, as findings name it."""
        return Subject(self.kind, self.policy.name, self.policy.namespace)


@dataclass(frozen=True, slots=True)
class Isolation:
    """Who is isolated. ``ingress`` and ``egress`` hold running pods with an address of their own."""

    universe: Universe
    subjects: tuple[Subjects, ...]
    ingress: Classes
    egress: Classes

    @property
    def either(self) -> Classes:
        """Isolated in at least one direction."""
        return self.ingress | self.egress

    @property
    def selected(self) -> Classes:
        """Selected by any policy, host network and finished pods included."""
        answer = 0
        for s in self.subjects:
            answer |= s.selected
        return answer

    @property
    def policed(self) -> Classes:
        """Pods that policies can do something to at all: running, with an address of their own."""
        return self.universe.everything & ~self.universe.on_host_network & ~self.universe.terminal

    def policies_of(self, pod_class: PodClass, direction: str = "") -> Iterator[NetworkPolicy]:
        """Yield the policies that select *pod_class*, of one direction (``Ingress``, ``Egress``) or of both."""
        for s in self.subjects:
            if s.selected & pod_class.bit and _has(s.policy, direction):
                yield s.policy


def _has(policy: NetworkPolicy, direction: str) -> bool:
    match direction:
        case "Ingress":
            return policy.isolates_ingress
        case "Egress":
            return policy.isolates_egress
        case _:
            return True


def isolate(
    universe: Universe, policies: Iterable[NetworkPolicy], application: Iterable[NetworkPolicy] = ()
) -> Isolation:
    """Work out whom *policies* and then *application* policies isolate.

    Costs one index look-up per policy, never policies times pods.
    """
    subjects = []
    ingress = egress = 0
    kinds = ((policies, "NetworkPolicy"), (application, "ApplicationNetworkPolicy"))
    for policy, kind in ((p, kind) for some, kind in kinds for p in some):
        selected = universe.select_in(policy.namespace, policy.spec.pod_selector)
        subjects.append(Subjects(policy, selected, kind))
        if policy.isolates_ingress:
            ingress |= selected
        if policy.isolates_egress:
            egress |= selected
    policed = Isolation(universe, (), 0, 0).policed
    return Isolation(universe, tuple(subjects), ingress & policed, egress & policed)
