"""Where the agent has to keep many entries for one address, found without looking at every pod.

The number of different entries in all rules of a class bounds what any one address can get, and is added up for all classes at
once. Only the few above the bound are compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.model.policies import PolicyPort
from eksnetpol.policy.capacity import Crowd, Pile, World
from eksnetpol.policy.identities import Identities
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Entry, Rule, Rules, entries_of, entry, names_of
from eksnetpol.policy.universe import Classes, indexes_of


@dataclass(frozen=True, slots=True)
class Crowded:
    """Rules that come together on some address, the greatest contributor's first, and how many entries it then has.

    ``pods`` is how many pods keep them; 0 where pods are not known.
    """

    direction: Direction
    rules: tuple[Rule, ...]
    crowd: Crowd
    pods: int

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies, the greatest contributor's first."""
        return tuple(dict.fromkeys(r.policy.name for r in self.rules))


def crowded_alone(rules: Rules, family: int | None, above: int) -> tuple[Crowded, ...]:
    """Return each policy that has more than *above* entries for an address all by itself, whatever pods there are."""
    found: list[Crowded] = []
    for together in _by_policy(rules.everything):
        most = sum(len(r.ports) or 1 for r in together)
        if most > above:
            found.extend(_compile(together, {}, Pile(family, None), above, 0))
    return tuple(found)


def crowded(
    rules: Rules, isolation: Isolation, identities: Identities, world: World, family: int | None, above: int
) -> tuple[Crowded, ...]:
    """Return what comes together to more than *above* entries; what equal sets of policies make is there once."""
    selected = [s.selected for s in isolation.subjects]
    policed = isolation.policed
    found: list[Crowded] = []
    for direction in Direction:
        mine = _of_busy_namespaces((r for r in rules.everything if r.direction is direction), world, above)
        suspects = _with_more(_bounds(mine, selected, identities, world, policed).values(), above, policed)
        by_namespace: dict[str, list[Rule]] = {}
        if suspects:
            for rule in mine:
                by_namespace.setdefault(rule.policy.namespace, []).append(rule)
        groups: dict[tuple[int, ...], tuple[list[Rule], int]] = {}
        for rules_, pods in _gathered(suspects, by_namespace, selected, identities, world):
            key = tuple(id(r) for r in rules_)
            groups[key] = (rules_, pods + groups.get(key, ((), 0))[1])
        for rules_, pods in groups.values():
            found.extend(_compile(rules_, {r.at: selected[r.at] for r in rules_}, Pile(family, world), above, pods))
    return tuple(found)


def _by_policy(rules: Iterable[Rule]) -> Iterator[list[Rule]]:
    groups: dict[tuple[int, Direction], list[Rule]] = {}
    for rule in rules:
        groups.setdefault((rule.at, rule.direction), []).append(rule)
    yield from groups.values()


def _compile(together: list[Rule], selected: dict[int, Classes], pile: Pile, above: int, pods: int) -> Iterator[Crowded]:
    weight: dict[int, int] = {}
    for rule in together:
        pile.add(rule, selected.get(rule.at, 0))
        weight[rule.at] = weight.get(rule.at, 0) + (len(rule.ports) or 1)
    crowd = pile.fullest(above)
    if crowd.entries > above:
        heaviest = sorted(together, key=lambda r: (-weight[r.at], r.at, r.number))
        yield Crowded(together[0].direction, tuple(heaviest), crowd, pods)


def _of_busy_namespaces(rules: Iterable[Rule], world: World, above: int) -> list[Rule]:
    """Return the rules of namespaces that have more than *above* different entries altogether; most have not."""
    groups: dict[str, tuple[set[Entry], list[Rule]]] = {}
    names: dict[str, set[PolicyPort]] = {}
    for rule in rules:
        found = groups.get(rule.policy.metadata.namespace)
        if found is None:
            found = groups[rule.policy.metadata.namespace] = (set(), [])
        entries = entries_of(rule.ports)
        found[0].update(entries)
        found[1].append(rule)
        if len(entries) < len(rule.ports):
            names.setdefault(rule.policy.metadata.namespace, set()).update(names_of(rule.ports))
    for namespace, ports in names.items():
        for port in ports:
            # Every number that a name has anywhere, and one more for the pods that egress leads to.
            numbers = world.ports.named.get((port.protocol, str(port.port)), {})
            groups[namespace][0].update(entry(port, n) for n in numbers)
            groups[namespace][0].add((f"{port.protocol} {port.port}", 0, 0))
    return [rule for entries, together in groups.values() if len(entries) > above for rule in together]


def _bounds(
    rules: Iterable[Rule], selected: list[Classes], identities: Identities, world: World, policed: Classes
) -> dict[Entry, Classes]:
    bearing: dict[Entry, Classes] = {}
    for rule in rules:
        chosen = selected[rule.at]
        classes = identities.spread(chosen & policed)
        entries = entries_of(rule.ports)
        for e in entries:
            bearing[e] = bearing.get(e, 0) | classes
        if len(entries) < len(rule.ports):
            for e in _possible(rule, chosen, world):
                bearing[e] = bearing.get(e, 0) | classes
    return bearing


def _possible(rule: Rule, chosen: Classes, world: World) -> Iterator[Entry]:
    """Yield what the names of *rule* can make; names of egress have one number for a pod, and several for a node."""
    for port in names_of(rule.ports):
        name = str(port.port)
        if rule.direction is Direction.INGRESS:
            within = chosen
        else:
            within = world.universe.on_host_network
            yield (f"{port.protocol} {name}", 0, 0)
        for number in world.ports.meanings(port.protocol, name, within):
            yield entry(port, number)


def _with_more(sets: Iterable[Classes], than: int, among: Classes) -> Classes:
    """Return the members of *among* that are in more than *than* of *sets*: one addition, for all of them, per set."""
    planes: list[Classes] = []
    for members in sets:
        carry, at = members, 0
        while carry:
            if at == len(planes):
                planes.append(0)
            planes[at], carry = planes[at] ^ carry, planes[at] & carry
            at += 1
    more, equal = 0, among
    for at in reversed(range(max(len(planes), than.bit_length()))):
        plane = planes[at] if at < len(planes) else 0
        if than >> at & 1:
            equal &= plane
        else:
            more |= equal & plane
            equal &= ~plane
    return more


def _gathered(
    suspects: Classes, by_namespace: dict[str, list[Rule]], selected: list[Classes], identities: Identities, world: World
) -> Iterator[tuple[list[Rule], int]]:
    done: set[tuple[str, str]] = set()
    for index in indexes_of(suspects):
        pod_class = world.universe.classes[index]
        prefixes = identities.of_class[index]
        # Where nobody shares these identities, they all get what the class gets.
        if not identities.entangled & pod_class.bit:
            yield [r for r in by_namespace[pod_class.namespace] if selected[r.at] & pod_class.bit], len(pod_class.pods)
            continue
        for prefix in prefixes:
            if (pod_class.namespace, prefix) in done:
                continue
            done.add((pod_class.namespace, prefix))
            classes = identities.classes_of(pod_class.namespace, prefix, index)
            rules = [r for r in by_namespace[pod_class.namespace] if selected[r.at] & classes]
            yield rules, world.universe.count_pods(classes)
