"""Label selectors, as `metav1.LabelSelector` has them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Operator(StrEnum):
    """How a requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry of ``matchExpressions``."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether *labels* satisfy this requirement. A missing key satisfies ``NotIn``, as in Kubernetes."""
        match self.operator:
            case Operator.IN:
                return self.key in labels and labels[self.key] in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values or self.key not in labels
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A selector; all of its parts must hold, and an empty one selects everything."""

    match_labels: dict[str, str] = msgspec.field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when the selector selects everything."""
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether *labels* satisfy every part of this selector."""
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            r.holds(labels) for r in self.match_expressions
        )

    def __str__(self) -> str:
        parts = [f"{k}={v}" for k, v in sorted(self.match_labels.items())]
        for r in self.match_expressions:
            match r.operator:
                case Operator.EXISTS:
                    parts.append(r.key)
                case Operator.DOES_NOT_EXIST:
                    parts.append(f"!{r.key}")
                case Operator.IN | Operator.NOT_IN:
                    word = "in" if r.operator is Operator.IN else "notin"
                    parts.append(f"{r.key} {word} ({','.join(r.values)})")
        return ", ".join(parts) if parts else "everything"
