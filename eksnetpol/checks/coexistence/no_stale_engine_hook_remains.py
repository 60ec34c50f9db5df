"""No admission hook of another engine outlives it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import check
from eksnetpol.checks.words import count
from eksnetpol.engines.engine import Life, Presence
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import AdmissionPolicyBinding, WebhookConfiguration
from eksnetpol.model.snapshot import Unread

HOOKS = {
    "api.projectcalico.org": "calico",
    "calico-webhooks": "calico",
    "tigera-waf.applicationlayer.projectcalico.org": "calico",
    "tigera-sidecar-webhook-configuration": "calico",
    "protect-builtin-tiers.projectcalico.org": "calico",
    "crdmutator.antrea.io": "antrea",
    "crdvalidator.antrea.io": "antrea",
}
"""Webhook configurations and admission policies by name, and the engine that installs them."""

KEEPERS = {"calico": {"calico", "canal"}}
"""Engines whose running keeps another one's hooks in use."""


@check(
    title="no admission hook of another engine outlives it",
    severity=Severity.WARNING,
    docs="https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/",
    sources=(
        "https://github.com/projectcalico/calico/tree/master/manifests",
        "https://github.com/antrea-io/antrea/blob/main/build/yamls/antrea-eks.yml",
    ),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def no_stale_engine_hook_remains(
    engines: tuple[Presence, ...],
    webhooks: tuple[WebhookConfiguration, ...],
    admission_bindings: tuple[AdmissionPolicyBinding, ...] | Unread,
) -> Iterator[Finding | Evidence]:
    """
    A webhook whose server is gone refuses every request it is asked about while its failurePolicy is Fail, so that the engine's
    own objects and definitions can no longer be changed or deleted. An admission policy needs no server and keeps refusing.
    """
    live = {p.name for p in engines if p.life is Life.LIVE}
    found: list[tuple[Subject, str, str]] = []
    for configuration in webhooks:
        if any(w.failure_policy != "Ignore" for w in configuration.webhooks):
            name = configuration.metadata.name
            found.append((Subject(configuration.kind or "WebhookConfiguration", name), name, "refuses what it cannot ask about"))
    for binding in () if isinstance(admission_bindings, Unread) else admission_bindings:
        policy = binding.spec.policy_name
        if "Deny" in binding.spec.validation_actions:
            found.append((Subject("ValidatingAdmissionPolicyBinding", binding.metadata.name), policy, "keeps refusing"))
    theirs = [(subject, HOOKS[name], how) for subject, name, how in found if name in HOOKS]
    yield Evidence(f"{count(len(theirs), 'hook')} of other engines")
    for subject, engine, how in theirs:
        if live & KEEPERS.get(engine, {engine}):
            continue
        yield Finding(
            subject=subject,
            message=f"{subject.kind} {subject.name} of {engine} {how}, and {engine} does not run",
            remedy="Delete it before the engine's remaining objects and definitions.",
            command=f"kubectl delete {subject.kind.lower()} {subject.name}",
        )
