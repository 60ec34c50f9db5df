"""The two ends of any connection as unknowns: kind, namespace, labels, service account, address, ports with names.

A label has a small domain: the values that some formula mentions, another one, or absent; where a formula asks how a value begins
or ends, or what it contains, it is a text. Addresses are vectors of bits. Nodes and pods on the host network are left aside.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from eksnetpol.policy.addresses import Network
from eksnetpol.policy.stacks.algebra import atoms
from eksnetpol.policy.stacks.clauses import NAME_LABEL, met_by
from eksnetpol.policy.stacks.ends import End
from eksnetpol.policy.stacks.formulas import (
    And,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    Or,
    SameNamespace,
    Scope,
    Test,
    Unknowable,
    Within,
)

KINDS = (EndKind.POD, EndKind.OUTSIDE)
ANOTHER = "another-value"
FUTURE = ("another-namespace-1", "another-namespace-2")
"""Namespaces that are not there yet: two, so that the ends can be in different ones."""

_BITS = {4: 32, 6: 128}
_LONGEST = 63
"""So long a value of a label may be."""

Key = tuple[Scope, str]


@dataclass
class Vocabulary:
    """What formulas mention: values by label, names, and the namespaces of today with their labels."""

    namespaces: Mapping[str, Mapping[str, str]]
    values: dict[Key, set[str]] = field(default_factory=dict)
    texts: set[Key] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def learn(self, formulas: Iterable[Formula]) -> None:
        """Take in what *formulas* mention."""
        for formula in formulas:
            for atom in atoms(formula):
                match atom:
                    case Label(Scope.NAMESPACE, key, Test.IN, values) if key == NAME_LABEL:
                        self.names |= values
                    case Label(scope, key, test, values):
                        mentioned = self.values.setdefault((scope, key), set())
                        mentioned |= values if test is Test.IN else set()
                        if test not in {Test.IN, Test.EXISTS}:
                            self.texts.add((scope, key))
                    case Named(Scope.ACCOUNT, names):
                        self.accounts |= names
                    case Named(_, names):
                        self.names |= names
                    case SameNamespace(keys):
                        for key in keys:
                            found = self.values.setdefault((Scope.NAMESPACE, key), set())
                            found |= {labels[key] for labels in self.namespaces.values() if key in labels}
                    case _:
                        pass


@dataclass
class Value:
    """A label whose value is an unknown: its place among *known* values (0 is absent, 1 another), or a text."""

    known: tuple[str, ...]
    unknown: Any
    text: Any = None

    def is_there(self) -> Any:
        """Whether the label is there at all."""
        return self.unknown != 0

    def meets(self, z3: ModuleType, label: Label) -> Any:
        """Whether the value meets a test."""
        if label.test is Test.EXISTS:
            return self.is_there()
        if self.text is None:
            return z3.Or([self.unknown == 2 + at for at, value in enumerate(self.known) if value in label.values])
        tests = {Test.IN: lambda t: self.text == t, Test.CONTAINS: lambda t: z3.Contains(self.text, t)}
        tests |= {Test.STARTS: lambda t: z3.PrefixOf(t, self.text), Test.ENDS: lambda t: z3.SuffixOf(t, self.text)}
        return z3.And(self.is_there(), z3.Or([tests[label.test](z3.StringVal(t)) for t in sorted(label.values)]))

    def read(self, model: Any) -> str | None:
        """Return the value in a model; None where it is absent."""
        at = model.eval(self.unknown, model_completion=True).as_long()
        if at == 0:
            return None
        if self.text is not None:
            return str(model.eval(self.text, model_completion=True).as_string())
        return self.known[at - 2] if at > 1 else ANOTHER


class Solving:
    """Makes unknowns, and collects what must hold of them for anything to exist."""

    def __init__(self, z3: ModuleType, words: Vocabulary, version: int, *, future: bool) -> None:
        """Know the names of namespaces: those of today, and with *future* such as are not there yet."""
        self.z3, self.words = z3, words
        self.bits = _BITS[version]
        self.version = version
        later = (*sorted(words.names - set(words.namespaces)), *FUTURE) if future or not words.namespaces else ()
        self.spaces = (*sorted(words.namespaces), *later)
        self.accounts = (*sorted(words.accounts), ANOTHER)
        self.must: list[Any] = []
        self.later = {
            name: {k: self.value(f"{name}.{k}", k, Scope.NAMESPACE) for k in self._keys(Scope.NAMESPACE)} for name in later
        }
        self.doubts: dict[Any, Any] = {}

    def _keys(self, scope: Scope) -> list[str]:
        return sorted(key for of, key in self.words.values if of is scope)

    def number(self, name: str, limit: int) -> Any:
        """Return an unknown from 0 to below *limit*."""
        bits = max(1, (limit - 1).bit_length())
        unknown = self.z3.BitVec(name, bits)
        if limit != 1 << bits:
            self.must.append(self.z3.ULT(unknown, limit))
        return unknown

    def value(self, name: str, key: str, scope: Scope) -> Value:
        """Return an unknown value of a label."""
        known = tuple(sorted(self.words.values[scope, key]))
        if (scope, key) not in self.words.texts:
            return Value(known, self.number(name, len(known) + 2))
        text = self.z3.String(f"{name}.text")
        self.must.append(self._is_value(text))
        return Value(known, self.number(name, 2), text)

    def _is_value(self, text: Any) -> Any:
        """Whether a text can be the value of a label (k8s.io/apimachinery, validation.IsValidLabelValue)."""
        z3 = self.z3
        edge = z3.Union(z3.Range("a", "z"), z3.Range("A", "Z"), z3.Range("0", "9"))
        inner = z3.Union(edge, z3.Re("-"), z3.Re("_"), z3.Re("."))
        value = z3.Union(edge, z3.Concat(edge, z3.Star(inner), edge))
        return z3.And(z3.InRe(text, z3.Option(value)), z3.Length(text) <= _LONGEST)

    def doubt(self, about: Any) -> Any:
        """Return whether something holds that nobody can know: the same answer for the same question."""
        return self.doubts.setdefault(about, self.z3.Bool(f"doubt.{len(self.doubts)}"))


class Side:
    """One end whose everything is unknown."""

    def __init__(self, solving: Solving, name: str) -> None:
        """Make up the unknowns."""
        z3 = self.z3 = solving.z3
        self.solving, self.name = solving, name
        self.kind = solving.number(f"{name}.kind", len(KINDS))
        self.space = solving.number(f"{name}.namespace", len(solving.spaces))
        self.account = solving.number(f"{name}.account", len(solving.accounts))
        self.address = z3.BitVec(f"{name}.address", solving.bits)
        self.labels = {
            scope: {key: solving.value(f"{name}.{scope}.{key}", key, scope) for key in solving._keys(scope)}  # noqa: SLF001
            for scope in (Scope.POD, Scope.ACCOUNT)
        }
        self._known: dict[tuple[Formula, str], Any] = {}

    @property
    def is_pod(self) -> Any:
        """Whether it is a pod."""
        return self.kind == 0

    def within(self, networks: Iterable[Network]) -> Any:
        """Whether its address is in one of these blocks."""
        z3, width = self.z3, self.solving.bits
        found = []
        for network in networks:
            if network.version == self.solving.version:
                low = width - network.prefixlen
                fixed = int(network.network_address) >> low
                found.append(z3.Extract(width - 1, low, self.address) == fixed if network.prefixlen else z3.BoolVal(val=True))
        return z3.Or(found)

    def means(self, formula: Formula, other: Side) -> Any:
        """Whether *formula* means this end, with *other* at the far one."""
        known = self._known.get((formula, other.name))
        if known is None:
            known = self._known[formula, other.name] = self._means(formula, other)
        return known

    def _means(self, formula: Formula, other: Side) -> Any:  # noqa: C901, PLR0911 - one line per kind of formula
        z3 = self.z3
        match formula:
            case And(parts):
                return z3.And([self.means(part, other) for part in parts])
            case Or(parts):
                return z3.Or([self.means(part, other) for part in parts])
            case Not(part):
                return z3.Not(self.means(part, other))
            case Unknowable():
                return self.solving.doubt((formula, self.name))
            case Is(kinds):
                return z3.Or([self.kind == at for at, kind in enumerate(KINDS) if kind in kinds])
            case Within(networks):
                return self.within(networks)
            case OnNode():
                return z3.BoolVal(val=False)
            case SameNamespace(keys):
                return z3.And(self.is_pod, other.is_pod, *self._shared(keys, other))
            case Named(Scope.ACCOUNT, names):
                accounts = enumerate(self.solving.accounts)
                return z3.And(self.is_pod, z3.Or([self.account == at for at, name in accounts if name in names]))
            case Named(_, names):
                return z3.And(self.is_pod, self._in(lambda name: name in names))
            case Label(Scope.NAMESPACE):
                return z3.And(self.is_pod, self._spaced(formula))
            case Label(scope, key):
                return z3.And(self.is_pod, self.labels[scope][key].meets(z3, formula))

    def _in(self, wanted: Any) -> Any:
        return self.z3.Or([self.space == at for at, name in enumerate(self.solving.spaces) if wanted(name)])

    def _spaced(self, label: Label) -> Any:
        if label.key == NAME_LABEL:
            return self._in(lambda name: met_by(label, name))
        return self.z3.Or(list(self._spaces(label)))

    def _spaces(self, label: Label) -> Iterator[Any]:
        z3, words = self.z3, self.solving.words
        for at, name in enumerate(self.solving.spaces):
            if name in self.solving.later:
                yield z3.And(self.space == at, self.solving.later[name][label.key].meets(z3, label))
            elif (value := words.namespaces[name].get(label.key)) is not None and met_by(label, value):
                yield self.space == at

    def _shared(self, keys: tuple[str, ...], other: Side) -> Iterator[Any]:
        if not keys:
            yield self.space == other.space
        for key in keys:
            known = sorted(self.solving.words.values[Scope.NAMESPACE, key])
            labels = [Label(Scope.NAMESPACE, key, Test.IN, frozenset({value})) for value in known]
            alike = [self.z3.And(self._spaced(label), other._spaced(label)) for label in labels]
            there = self._spaced(Label(Scope.NAMESPACE, key, Test.EXISTS))
            yield self.z3.Or(self.z3.And(self.space == other.space, there), *alike)

    def read(self, model: Any) -> End:
        """Return the end that a model shows."""

        def of(unknown: Any) -> int:
            return int(model.eval(unknown, model_completion=True).as_long())

        def texts(values: Mapping[str, Value]) -> dict[str, str]:
            return {key: value for key, one in values.items() if (value := one.read(model)) is not None}

        kind, address = KINDS[of(self.kind)], _written(of(self.address), self.solving.version)
        if kind is not EndKind.POD:
            return End(kind, address=address, version=self.solving.version)
        space = self.solving.spaces[of(self.space)]
        later = self.solving.later.get(space)
        own = texts(later) if later is not None else self.solving.words.namespaces[space]
        return End(
            kind,
            space,
            texts(self.labels[Scope.POD]),
            {**own, NAME_LABEL: space},
            self.solving.accounts[of(self.account)],
            texts(self.labels[Scope.ACCOUNT]),
            address,
            version=self.solving.version,
        )


def _written(number: int, version: int) -> str:
    return str(ipaddress.IPv4Address(number) if version in {0, 4} else ipaddress.IPv6Address(number))
