"""Where policies are looked at and changed: the commands that findings about them end with."""

from __future__ import annotations

from eksnetpol.model.findings import Subject


def edit(subject: Subject) -> str:
    """Return the command that opens a policy in an editor."""
    return f"kubectl edit {subject.kind.lower()} {subject.name}{_in(subject.namespace)}"


def show(subject: Subject) -> str:
    """Return the command that prints one object."""
    return f"kubectl get {subject.kind.lower()} {subject.name}{_in(subject.namespace)} -o yaml"


def show_policies(namespace: str) -> str:
    """Return the command that prints all NetworkPolicies of a namespace."""
    return f"kubectl get networkpolicies -n {namespace} -o yaml"


def _in(namespace: str) -> str:
    return f" -n {namespace}" if namespace else ""
