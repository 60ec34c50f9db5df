"""The pods of a cluster as classes, and sets of classes as numbers.

Pods that no selector and no rule can tell apart are one *class*: same namespace, labels, containers, service account and owner,
and the same answers to host network, finished. A cluster of 100,000 pods has a few thousand. A set of classes is a Python
integer used as a bit set (bit ``i`` stands for class ``i``), so that intersecting two sets of 5,000 classes is one machine-level
operation, and a selector is answered by and-ing rows of an inverted index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any

from eksnetpol.model.kubernetes import Container, Namespace, Pod
from eksnetpol.model.selectors import LabelSelector, Operator, Requirement

Classes = int
"""A set of classes: bit *i* is class *i*."""

Label = tuple[str, str]
"""A label's key and value."""

TERMINAL = frozenset({"Succeeded", "Failed"})
"""Phases of pods that will not run again."""

_Asked = tuple[tuple[tuple[str, str], ...], tuple[Requirement, ...]]
_Alike = tuple[str, bytes, str, bool, bool, str, bool]


@dataclass(frozen=True, slots=True)
class PodClass:
    """Pods that policies cannot tell apart. ``pods`` are all of them, in the order they were read."""

    index: int
    namespace: str
    labels: Mapping[str, str]
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...]
    service_account: str
    mounts_token: bool
    host_network: bool
    is_owned: bool
    is_terminal: bool
    pods: tuple[Pod, ...]

    @property
    def bit(self) -> Classes:
        """The set that holds this class alone."""
        return 1 << self.index

    @property
    def example(self) -> Pod:
        """One of its pods."""
        return self.pods[0]


@dataclass(frozen=True, slots=True)
class Universe:
    """All classes and the index that answers selectors."""

    classes: tuple[PodClass, ...]
    in_namespace: Mapping[str, Classes]
    labelled: Mapping[Label, Sequence[int]]
    namespace_labels: Mapping[str, Mapping[str, str]]
    everything: Classes
    on_host_network: Classes
    terminal: Classes
    _answers: dict[_Asked, Classes] = field(default_factory=dict, compare=False, repr=False)
    _labels: dict[Label | str, Classes] = field(default_factory=dict, compare=False, repr=False)
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What others have worked out of it and want to find again, by name."""
    _chosen: dict[tuple[str, int], tuple[LabelSelector, Classes]] = field(default_factory=dict, compare=False, repr=False)

    def with_label(self, key: str, value: str) -> Classes:
        """Return the classes that have a label."""
        # Most labels of a cluster (hashes, names of pods) are asked for by nobody, so sets are made when they are.
        label = (key, value)
        known = self._labels.get(label)
        if known is None:
            known = self._labels[label] = set_of(self.labelled.get(label, ()))
        return known

    def with_key(self, key: str) -> Classes:
        """Return the classes that have a label *key*, whatever its value."""
        known = self._labels.get(key)
        if known is None:
            found = (indexes for (own, _), indexes in self.labelled.items() if own == key)
            known = self._labels[key] = set_of(chain.from_iterable(found))
        return known

    def members(self, classes: Classes) -> Iterator[PodClass]:
        """Yield the classes of a set, lowest index first."""
        for index in indexes_of(classes):
            yield self.classes[index]

    def count_pods(self, classes: Classes) -> int:
        """Return how many pods a set stands for."""
        return sum(len(c.pods) for c in self.members(classes))

    def select(self, selector: LabelSelector, within: Classes) -> Classes:
        """Return the classes of *within* whose labels satisfy *selector*."""
        for key, value in selector.match_labels.items():
            within &= self.with_label(key, value)
            if not within:
                return 0
        for requirement in selector.match_expressions:
            within &= self._satisfying(requirement)
        return within

    def select_in(self, namespace: str, selector: LabelSelector) -> Classes:
        """Return the classes of *namespace* whose labels satisfy *selector*."""
        # Several questions ask for the pods of the same policies. The selector is kept, so that its identity stays its own.
        key = (namespace, id(selector))
        known = self._chosen.get(key)
        if known is None:
            known = self._chosen[key] = (selector, self.select(selector, self.in_namespace.get(namespace, 0)))
        return known[1]

    def select_namespaces(self, selector: LabelSelector) -> Classes:
        """Return the classes of all namespaces whose labels satisfy *selector*."""
        if selector.is_empty:
            return self.everything
        # Policies repeat a handful of namespace selectors; namespaces are few, so each is answered once the plain way.
        key = (tuple(selector.match_labels.items()), selector.match_expressions)
        if key not in self._answers:
            answer = 0
            for name, classes in self.in_namespace.items():
                if selector.matches(self.namespace_labels.get(name, {})):
                    answer |= classes
            self._answers[key] = answer
        return self._answers[key]

    def _satisfying(self, requirement: Requirement) -> Classes:
        listed = 0
        for value in requirement.values:
            listed |= self.with_label(requirement.key, value)
        match requirement.operator:
            case Operator.IN:
                return listed
            case Operator.NOT_IN:
                return self.everything & ~listed
            case Operator.EXISTS:
                return self.with_key(requirement.key)
            case Operator.DOES_NOT_EXIST:
                return self.everything & ~self.with_key(requirement.key)


def build(pods: Iterable[Pod], namespaces: Iterable[Namespace]) -> Universe:
    """Sort *pods* into classes and index them.

    Every namespace has the label ``kubernetes.io/metadata.name``, which the API server itself sets; it is added where a namespace
    is known from files only. A namespace that is not among *namespaces* has that label alone.
    """
    groups: dict[_Alike, list[Pod]] = {}
    group: list[Pod] = []
    last: Pod | None = None
    for pod in pods:
        # Lists come by name, so that most pods are like the one before: to compare is cheaper than to hash.
        if last is not None and _are_alike(pod, last):
            group.append(pod)
            continue
        last = pod
        meta, spec = pod.metadata, pod.spec
        owners = meta.owner_references
        owner = (owners[0].uid or owners[0].name) if owners else ""
        key = (
            meta.namespace,
            # One copy and one hash instead of three of each.
            b"\0".join((meta.labels, spec.containers, spec.init_containers)),
            spec.service_account_name,
            spec.automount_service_account_token is not False,
            spec.host_network,
            owner,
            pod.status.phase in TERMINAL,
        )
        group = groups.setdefault(key, [])
        group.append(pod)
    classes = tuple(_class(i, key, tuple(members)) for i, (key, members) in enumerate(groups.items()))
    return index_classes(classes, namespaces)


def _are_alike(one: Pod, other: Pod) -> bool:
    """Say whether two pods are surely of one class."""
    left, right = one.metadata, other.metadata
    mine, yours = one.spec, other.spec
    return (
        left.labels == right.labels
        and left.owner_references == right.owner_references
        and left.namespace == right.namespace
        and mine.containers == yours.containers
        and mine.init_containers == yours.init_containers
        and mine.service_account_name == yours.service_account_name
        and mine.automount_service_account_token is yours.automount_service_account_token
        and mine.host_network is yours.host_network
        and one.status.phase == other.status.phase
    )


def _class(index: int, alike: _Alike, pods: tuple[Pod, ...]) -> PodClass:
    namespace, _, account, mounts_token, host_network, owner, is_terminal = alike
    one = pods[0]
    return PodClass(
        index=index,
        namespace=namespace,
        labels=one.labels,
        containers=one.containers,
        init_containers=one.init_containers,
        service_account=account,
        mounts_token=mounts_token,
        host_network=host_network,
        is_owned=bool(owner),
        is_terminal=is_terminal,
        pods=pods,
    )


def index_classes(classes: tuple[PodClass, ...], namespaces: Iterable[Namespace]) -> Universe:
    """Index *classes*, which must bear their places as indexes; namespaces as for `build`."""
    in_namespace: dict[str, list[int]] = {}
    labelled: defaultdict[Label, list[int]] = defaultdict(list)
    for c in classes:
        in_namespace.setdefault(c.namespace, []).append(c.index)
        for label in c.labels.items():
            labelled[label].append(c.index)
    labels = {name: {"kubernetes.io/metadata.name": name} for name in in_namespace}
    for namespace in namespaces:
        own = {"kubernetes.io/metadata.name": namespace.name}
        labels[namespace.name] = own | dict(namespace.metadata.labels)
    return Universe(
        classes=classes,
        in_namespace={name: set_of(indexes) for name, indexes in in_namespace.items()},
        labelled=dict(labelled),
        namespace_labels=labels,
        everything=(1 << len(classes)) - 1,
        on_host_network=set_of(c.index for c in classes if c.host_network),
        terminal=set_of(c.index for c in classes if c.is_terminal),
    )


def indexes_of(classes: Classes) -> Iterator[int]:
    """Yield the indexes of a set, lowest first."""
    # Byte by byte: taking the lowest bit off a large integer again and again would copy it each time. Sets of one namespace lie
    # close together, so what is empty before them is cut off first.
    held = classes.to_bytes((classes.bit_length() + 7) >> 3, "little")
    full = held.lstrip(b"\0")
    first = len(held) - len(full)
    for at in compress(range(len(full)), full):
        base = (first + at) << 3
        for bit in _BITS[full[at]]:
            yield base + bit


_BITS = tuple(tuple(i for i in range(8) if byte >> i & 1) for byte in range(256))


def key_of(classes: Classes) -> bytes:
    """Return what to look a set up by in a dictionary.

    Python hashes an integer by its remainder modulo 2**61 - 1, so that the sets of one class have 61 hashes between them.
    """
    return classes.to_bytes((classes.bit_length() + 7) >> 3, "little")


def set_of(indexes: Iterable[int]) -> Classes:
    """Return the set of the classes with these indexes."""
    # Setting bits in bytes costs the number of bits; adding them to an integer one by one would cost its square.
    held = bytearray()
    for i in indexes:
        at = i >> 3
        if at >= len(held):
            held.extend(bytes(at + 1 - len(held)))
        held[at] |= 1 << (i & 7)
    return int.from_bytes(held, "little")
