"""The removal of another engine is not stuck."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from eksnetpol.checks.declare import check
from eksnetpol.checks.words import listed
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import CustomObject, Namespace
from eksnetpol.model.snapshot import Unread

LONG = timedelta(minutes=10)

NAMESPACES = {"calico-system", "calico-apiserver", "calico-cloud", "cilium", "cilium-secrets", "cilium-spire", "kube-ovn"}
PREFIXES = ("tigera-",)


@check(
    title="no namespace or installation of another engine is stuck in its deletion",
    severity=Severity.WARNING,
    docs="https://github.com/projectcalico/calico/issues/7835",
    sources=("projectcalico/calico#4518", "projectcalico/calico#7835"),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def no_engine_namespace_hangs(
    namespaces: tuple[Namespace, ...], engine_settings: tuple[CustomObject, ...] | Unread, now: datetime
) -> Iterator[Finding | Evidence]:
    """
    Calico's operator must be there when its Installation is deleted, because it frees the finalizers. Where the operator or a
    namespace went first, the deletion waits for ever, and so does whatever comes after it in a removal.
    """
    yield Evidence(f"{sum(_is_engines(n.name) for n in namespaces)} namespaces of other engines")
    for namespace in namespaces:
        if _is_engines(namespace.name) and _is_late(namespace.metadata.deletion_timestamp, now):
            waits = [c.message for c in namespace.status.conditions if c.status == "True" and c.message]
            reasons = waits or [f"finalizer {f}" for f in (*namespace.metadata.finalizers, *namespace.spec.finalizers)]
            yield _finding(Subject("Namespace", namespace.name), reasons)
    for setting in () if isinstance(engine_settings, Unread) else engine_settings:
        if setting.kind == "Installation" and _is_late(setting.metadata.deletion_timestamp, now):
            held = [f"finalizer {f}" for f in setting.metadata.finalizers]
            yield _finding(Subject("Installation", setting.metadata.name), held)


def _is_engines(name: str) -> bool:
    return name in NAMESPACES or name.startswith(PREFIXES)


def _is_late(since: datetime | None, now: datetime) -> bool:
    return since is not None and now - since > LONG


def _finding(subject: Subject, reasons: list[str]) -> Finding:
    return Finding(
        subject=subject,
        message=f"{subject.kind} {subject.name} has been terminating for more than ten minutes",
        remedy="Bring the operator back so that it frees its finalizers; take one away by hand only if you know what it guards.",
        command=f"kubectl get {subject.kind.lower()} {subject.name} -o yaml",
        evidence=(listed(reasons),) if reasons else (),
    )
