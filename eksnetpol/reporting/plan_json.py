"""A plan for machines: the same document that ``--out`` saves and ``apply`` reads."""

from __future__ import annotations

import msgspec

from eksnetpol.model.plan import Plan
from eksnetpol.reporting.policy_words import dumped
from eksnetpol.reporting.yaml import dumped as dumped_yaml


def document(plan: Plan) -> dict[str, object]:
    """Return *plan* as plain dicts and lists, as a plan file holds it: with its digest."""
    return {**msgspec.to_builtins(plan), "digest": plan.digest}


def json(plan: Plan) -> str:
    """Return *plan* as JSON text."""
    return dumped(document(plan))


def yaml(plan: Plan) -> str:
    """Return *plan* as one YAML document."""
    return dumped_yaml(document(plan))
