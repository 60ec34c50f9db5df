"""A plan for machines: the same document that ``--out`` saves and ``apply`` reads."""

from __future__ import annotations

from eksnetpol.model.plan import Plan, document
from eksnetpol.reporting.policy_words import dumped
from eksnetpol.reporting.yaml import dumped as dumped_yaml


def json(plan: Plan) -> str:
    """Return *plan* as JSON text."""
    return dumped(document(plan))


def yaml(plan: Plan) -> str:
    """Return *plan* as one YAML document."""
    return dumped_yaml(document(plan))
