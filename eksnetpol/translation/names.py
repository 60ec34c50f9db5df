"""Ports by name in ingress rules: the controller opens every number that a name has on any of a policy's pods on all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.stacks.algebra import conjunction
from eksnetpol.policy.stacks.ends import end_of_pod, holds
from eksnetpol.policy.stacks.formulas import Formula
from eksnetpol.policy.stacks.rules import PortName
from eksnetpol.translation.ground import Inventory, telling
from eksnetpol.translation.regions import ONE_NUMBER, Ledger

_Meaning = frozenset[tuple[str, int]]


@dataclass
class Names:
    """What names of ports mean to the pods of today."""

    inventory: Inventory

    @cached_property
    def _pods(self) -> Mapping[str, tuple[Pod, ...]]:
        found: defaultdict[str, list[Pod]] = defaultdict(list)
        for pod in self.inventory.world.pods:
            if not pod.spec.host_network and not pod.is_terminal:
                found[pod.namespace].append(pod)
        return {namespace: tuple(pods) for namespace, pods in found.items()}

    def alike(self, subject: Formula, name: PortName, namespace: str, ledger: Ledger) -> Iterator[Formula]:
        """Yield pods of *subject* to which a name means one and the same; say what no label tells apart."""
        groups: defaultdict[_Meaning, list[Mapping[str, str]]] = defaultdict(list)
        for pod in self._pods.get(namespace, ()):
            if holds(subject, end_of_pod(self.inventory.world, pod)):
                groups[_meaning(pod, name)].append(pod.labels)
        if len(groups) <= 1:
            ledger.now[ONE_NUMBER.format(name.name)] = None
            yield subject
            return
        for meaning, pods in groups.items():
            if not meaning:
                continue
            label = telling(pods, [labels for other, many in groups.items() if other != meaning for labels in many])
            if label is None:
                words = (
                    f"the port named {name.name} has several numbers, and no label tells the pods of one from those of another"
                )
                ledger.lost[words] = None
                continue
            ledger.now[f"pods are told apart by the number that the port named {name.name} has today"] = None
            yield conjunction(subject, label)


def _meaning(pod: Pod, name: PortName) -> _Meaning:
    wanted = (name.protocol,) if name.protocol else WITH_PORTS
    found: dict[str, int] = {}
    for container in pod.containers:
        for port in container.ports:
            if port.name == name.name and port.protocol in wanted:
                found.setdefault(port.protocol, port.container_port)
    return frozenset(found.items())
