"""Which pods share one set of rules because the agent cannot tell their names apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eksnetpol.policy.identity import prefix_of
from eksnetpol.policy.universe import Classes, Universe, indexes_of, key_of, set_of

Identity = tuple[str, str]
"""Namespace and prefix of the names."""


@dataclass(frozen=True, slots=True)
class Identities:
    """Identities of running pods with an address of their own. ``of_class`` is by class index, ``shared`` has only those that
    pods of several classes bear, and ``entangled`` these classes.
    """

    of_class: Mapping[int, tuple[str, ...]]
    shared: Mapping[Identity, Classes]
    entangled: Classes
    _neighbours: Mapping[int, Classes]
    _spread: dict[bytes, Classes] = field(default_factory=dict, compare=False, repr=False)

    def spread(self, selected: Classes) -> Classes:
        """Return *selected* and all classes that get the same rules because they share an identity with one of them."""
        hit = selected & self.entangled
        if not hit:
            return selected
        key = key_of(hit)
        known = self._spread.get(key)
        if known is None:
            known = 0
            for index in indexes_of(hit):
                known |= self._neighbours[index]
            self._spread[key] = known
        return selected | known

    def classes_of(self, namespace: str, prefix: str, otherwise: int) -> Classes:
        """Return the classes whose pods bear an identity; *otherwise* is the index of the only one where none shares it."""
        return self.shared.get((namespace, prefix), 1 << otherwise)


def identify(universe: Universe) -> Identities:
    """Sort the pods of *universe* by identity, in one pass over their names."""
    of_class: dict[int, tuple[str, ...]] = {}
    bearers: dict[Identity, list[int]] = {}
    for pod_class in universe.classes:
        if pod_class.host_network or pod_class.is_terminal:
            continue
        # `rpartition` leaves nothing in front of the dash where there is none; such names are their own prefix.
        prefixes = {p.metadata.name.rpartition("-")[0] or prefix_of(p.metadata.name) for p in pod_class.pods}
        of_class[pod_class.index] = tuple(sorted(prefixes))
        for prefix in prefixes:
            bearers.setdefault((pod_class.namespace, prefix), []).append(pod_class.index)
    several = {identity: indexes for identity, indexes in bearers.items() if len(indexes) > 1}
    shared = {identity: set_of(indexes) for identity, indexes in several.items()}
    neighbours: dict[int, Classes] = {}
    for identity, indexes in several.items():
        for index in indexes:
            neighbours[index] = neighbours.get(index, 0) | shared[identity]
    return Identities(of_class, shared, set_of(neighbours), neighbours)
