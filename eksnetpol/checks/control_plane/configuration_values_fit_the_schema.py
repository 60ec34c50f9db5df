"""The add-on's configuration values are what its schema allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import VPC_CNI_ADDON
from eksnetpol.facts.addon_document import Problem, corrected, misplaced, read_schema, unquoted, unswitched, violations
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import parse_values
from eksnetpol.model.eks import Addon, AddonSchema
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="the add-on's configuration values fit its schema",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(
        "terraform-aws-modules/terraform-aws-eks#2878",
        "https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonConfiguration.html",
    ),
)
def configuration_values_fit_the_schema(
    addon: Addon | None, addon_schema: AddonSchema | Unread | None, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Configuration values are one JSON or YAML text, checked against the schema of the add-on's version: unknown keys are refused
    at every level, and every value is text. enableNetworkPolicy belongs at the top and not under env, and it is "true", in
    quotes: a boolean is refused, and True or yes would leave the controller off.
    """
    if addon is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    try:
        document = parse_values(addon.configuration_values)
    except ValueError as error:
        yield _unreadable(str(error), changing)
        return
    if document is None:
        document = {}
    if not isinstance(document, dict):
        yield _unreadable(f"it is a {type(document).__name__}, not a mapping", changing)
        return
    yield Evidence(f"{len(document)} keys at the top of the configuration values" if document else "no configuration values")
    found = {p.path: p for find in (misplaced, unquoted, unswitched) for p, _, _ in find(document)}
    remaining: list[Problem] = []
    try:
        schema = _schema(addon_schema)
        remaining = list(violations(corrected(document), schema))
        for problem in violations(document, schema):
            found.setdefault(problem.path, problem)
    except ValueError as error:
        yield Unknown(VPC_CNI_ADDON, f"the values cannot be held against the schema of {addon.addon_version}: {error}")
    for problem in sorted(found.values(), key=lambda p: p.path):
        yield _finding(problem, document, remaining, changing)


def _schema(addon_schema: AddonSchema | Unread | None) -> dict[str, Any]:
    if isinstance(addon_schema, Unread):
        raise ValueError(addon_schema.reason)  # noqa: TRY004 - the caller says why it is unknown
    if addon_schema is None:
        raise ValueError("EKS no longer knows this version")
    return read_schema(addon_schema.configuration_schema)


def _finding(
    problem: Problem, document: Mapping[str, Any], remaining: list[Problem], changing: Changing
) -> Finding:
    mended = corrected(document)
    stays = any(p.path == problem.path for p in remaining)
    if stays:
        remedy = "Take the key away, or write what the schema of this version allows."
        command = changing.aws_schema()
    else:
        remedy = "Give the add-on the corrected document, which replaces the one it has."
        command = changing.write(mended)
    return Finding(
        subject=VPC_CNI_ADDON,
        message=f"the configuration values are invalid at {problem.path}: {problem.what}",
        remedy=remedy,
        command=command,
        evidence=tuple(f"still to be put right by hand: {p.path}: {p.what}" for p in remaining if p.path != problem.path),
    )


def _unreadable(why: str, changing: Changing) -> Finding:
    return Finding(
        subject=VPC_CNI_ADDON,
        message=f"the configuration values are invalid at $: {why}",
        remedy='Write them as one JSON object, every value in quotes, such as {"enableNetworkPolicy":"true"}.',
        command=changing.read(),
    )
