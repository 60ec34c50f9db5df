"""Admission hooks that are asked about PolicyEndpoints, and may refuse the controller's writes.

Four kinds of hooks refuse: webhooks (a refusal, or no answer with failurePolicy Fail), ValidatingAdmissionPolicies that a
binding with action Deny puts in force, Kyverno's ClusterPolicies that enforce, and Gatekeeper's constraints that deny.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.facts.declare import fact
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import (
    AdmissionPolicy,
    AdmissionPolicyBinding,
    CustomObject,
    MatchConstraints,
    Namespace,
    Webhook,
    WebhookConfiguration,
    WebhookRule,
)
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.model.snapshot import Unread

GROUP, VERSION, RESOURCE, KIND = "networking.k8s.aws", "v1alpha1", "policyendpoints", "PolicyEndpoint"


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that is asked about PolicyEndpoints. ``doubt`` says what may exempt them; empty means that nothing does."""

    subject: Subject
    how: str
    doubt: str = ""


Places = tuple[Mapping[str, str], ...] | None
"""Labels of the namespaces in which PolicyEndpoints are written, None where they are not known."""


@fact
def endpoint_hooks(
    webhooks: tuple[WebhookConfiguration, ...],
    admission_policies: tuple[AdmissionPolicy, ...],
    admission_bindings: tuple[AdmissionPolicyBinding, ...],
    admission_engines: tuple[CustomObject, ...],
    namespaces: tuple[Namespace, ...] | Unread,
    network_policies: tuple[NetworkPolicy, ...] | Unread,
) -> tuple[Hook, ...]:
    """Every hook whose rules reach PolicyEndpoints in a namespace that has, or could have, policies."""
    places = _places(namespaces, network_policies)
    return (
        *_of_webhooks(webhooks, places),
        *_of_policies(admission_policies, admission_bindings, places),
        *(hook for engine in admission_engines for hook in _of_engine(engine)),
    )


def _places(namespaces: tuple[Namespace, ...] | Unread, policies: tuple[NetworkPolicy, ...] | Unread) -> Places:
    if isinstance(namespaces, Unread):
        return None
    labels = {n.name: {"kubernetes.io/metadata.name": n.name} | n.metadata.labels for n in namespaces}
    used = set() if isinstance(policies, Unread) else {p.namespace for p in policies}
    return tuple(labels[name] for name in labels if not used or name in used)


def _reaches(rules: Iterable[WebhookRule]) -> bool:
    return any(
        {"*", GROUP} & set(r.api_groups)
        # The API server takes no rule without versions; one that has none is of a file, or of a snapshot without them.
        and (not r.api_versions or {"*", VERSION} & set(r.api_versions))
        and {"*", "*/*", RESOURCE} & set(r.resources)
        and {"*", "CREATE", "UPDATE"} & set(r.operations)
        and r.scope in {"", "*", "Namespaced"}
        for r in rules
    )


def _exempt(selector: LabelSelector, places: Places) -> bool | None:
    """Say whether *selector* leaves out every place where PolicyEndpoints are written, None where that is not known."""
    if selector.is_empty:
        return False
    return None if places is None else not any(selector.matches(labels) for labels in places)


def _of_webhooks(configurations: Iterable[WebhookConfiguration], places: Places) -> Iterator[Hook]:
    for configuration in configurations:
        subject = Subject(configuration.kind or "WebhookConfiguration", configuration.metadata.name)
        for webhook in configuration.webhooks:
            if webhook.failure_policy == "Ignore" or not _reaches(webhook.rules):
                continue
            # The controller puts no labels on a PolicyEndpoint, so a selector that wants one passes it by.
            if _exempt(webhook.namespace_selector, places) or not webhook.object_selector.matches({}):
                continue
            yield Hook(subject, f"webhook {webhook.name}, failurePolicy Fail", _doubt(webhook, places))


def _doubt(webhook: Webhook, places: Places) -> str:
    if webhook.match_conditions:
        return "its matchConditions"
    return "its namespaceSelector" if _exempt(webhook.namespace_selector, places) is None else ""


def _of_policies(
    policies: Iterable[AdmissionPolicy], bindings: Iterable[AdmissionPolicyBinding], places: Places
) -> Iterator[Hook]:
    denying: dict[str, list[AdmissionPolicyBinding]] = {}
    for binding in bindings:
        if "Deny" in binding.spec.validation_actions:
            denying.setdefault(binding.spec.policy_name, []).append(binding)
    for policy in policies:
        for binding in denying.get(policy.metadata.name, ()):
            own, narrowed = policy.spec.match_constraints, binding.spec.match_resources
            if not _constrains(own) or (narrowed.resource_rules and not _reaches(narrowed.resource_rules)):
                continue
            # As for webhooks: what wants a label passes a PolicyEndpoint by.
            if not all(m.object_selector.matches({}) for m in (own, narrowed)):
                continue
            verdicts = [_exempt(m.namespace_selector, places) for m in (own, narrowed)]
            if True in verdicts or _reaches(narrowed.exclude_resource_rules):
                continue
            doubt = "its matchConditions" if policy.spec.match_conditions else ""
            doubt = doubt or ("its namespaceSelector" if None in verdicts else "")
            subject = Subject("ValidatingAdmissionPolicy", policy.metadata.name)
            yield Hook(subject, f"put in force by binding {binding.metadata.name} with Deny", doubt)
            break


def _constrains(constraints: MatchConstraints) -> bool:
    return _reaches(constraints.resource_rules) and not _reaches(constraints.exclude_resource_rules)


def _of_engine(engine: CustomObject) -> Iterator[Hook]:
    if engine.api_version.startswith("kyverno.io/"):
        yield from _of_kyverno(engine)
    elif engine.api_version.startswith("constraints.gatekeeper.sh/"):
        yield from _of_gatekeeper(engine)


def _of_kyverno(policy: CustomObject) -> Iterator[Hook]:
    default = str(policy.spec.get("validationFailureAction", ""))
    for rule in policy.spec.get("rules") or []:
        validates = "validate" in (rule.get("does") or ()) or "validate" in rule
        action = str(rule.get("failureAction") or (rule.get("validate") or {}).get("failureAction") or default)
        if not validates or action.lower() != "enforce":
            continue
        match = rule.get("match") or {}
        wanted = [*(match.get("any") or ()), *(match.get("all") or ()), *([match] if "resources" in match else ())]
        found = [r for r in (w.get("resources") or {} for w in wanted) if _names_kind(r.get("kinds") or ())]
        if not found:
            continue
        narrowed = bool(rule.get("exclude")) or all(set(r) - {"kinds", "operations"} for r in found)
        subject = Subject("ClusterPolicy", policy.metadata.name)
        yield Hook(subject, f"Kyverno rule {rule.get('name', '')} enforces", "what it excludes or narrows" if narrowed else "")
        return


def _names_kind(kinds: Iterable[str]) -> bool:
    """Say whether Kyverno's ``kinds`` (``Kind``, ``group/version/Kind``, each part maybe ``*``) hold PolicyEndpoint."""
    for text in kinds:
        parts = text.split("/")
        group = parts[0] if len(parts) > 2 else "*"  # noqa: PLR2004 - group, version and kind
        if parts[-1] in {"*", KIND} and group in {"*", GROUP}:
            return True
    return False


def _of_gatekeeper(constraint: CustomObject) -> Iterator[Hook]:
    if constraint.spec.get("enforcementAction", "deny") != "deny":
        return
    match: Mapping[str, Any] = constraint.spec.get("match") or {}
    kinds = match.get("kinds") or [{"apiGroups": ["*"], "kinds": ["*"]}]
    if match.get("scope") == "Cluster":
        return
    if any({"*", GROUP} & set(k.get("apiGroups") or ()) and {"*", KIND} & set(k.get("kinds") or ()) for k in kinds):
        narrowed = sorted(set(match) - {"kinds", "scope", "source"})
        doubt = f"its {' and '.join(narrowed)}" if narrowed else ""
        yield Hook(Subject(constraint.kind, constraint.metadata.name), "Gatekeeper constraint denies", doubt)
