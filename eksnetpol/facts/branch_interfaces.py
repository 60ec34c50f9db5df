"""Security groups for pods: which pods have a branch interface of their own, and in which mode it is enforced."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from eksnetpol.facts import policing  # noqa: F401 - declares a fact that is asked for below
from eksnetpol.facts.annotations import POD_ENI, Annotated
from eksnetpol.facts.declare import fact
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.kubernetes import CustomObject, ServiceAccount
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.universe import Classes, Universe, set_of


@dataclass(frozen=True, slots=True)
class BranchInterfaces:
    """``classes`` have an interface of their own, or will when they are made anew. ``mode`` is ``strict`` by default."""

    enabled: bool
    mode: str
    classes: Classes

    @property
    def is_strict(self) -> bool:
        """True in strict mode, where interfaces are named otherwise and traffic leaves the node first."""
        return self.mode.lower() != "standard"


@fact
def branch_interfaces(
    vpc_cni: VpcCni | None,
    universe: Universe,
    annotated: Annotated,
    security_group_policies: tuple[CustomObject, ...] | Unread,
    service_accounts: tuple[ServiceAccount, ...] | Unread,
) -> BranchInterfaces:
    """Pods that say so themselves, and those that a SecurityGroupPolicy selects by labels or service account."""
    enabled = vpc_cni is not None and vpc_cni.env_is("ENABLE_POD_ENI", "true")
    mode = "strict" if vpc_cni is None else vpc_cni.env.get("POD_SECURITY_GROUP_ENFORCING_MODE") or "strict"
    if not enabled:
        return BranchInterfaces(enabled=False, mode=mode, classes=0)
    found = annotated.of(POD_ENI)
    if not isinstance(security_group_policies, Unread):
        accounts = () if isinstance(service_accounts, Unread) else service_accounts
        for policy in security_group_policies:
            found |= _selected(policy, universe, accounts)
    return BranchInterfaces(enabled=True, mode=mode, classes=found & ~universe.on_host_network)


def _selected(policy: CustomObject, universe: Universe, accounts: tuple[ServiceAccount, ...]) -> Classes:
    namespace = policy.metadata.namespace
    found = 0
    if isinstance(labels := policy.spec.get("podSelector"), dict):
        found |= universe.select_in(namespace, _selector(labels))
    if isinstance(labels := policy.spec.get("serviceAccountSelector"), dict):
        selector = _selector(labels)
        chosen = {
            a.metadata.name for a in accounts if a.metadata.namespace == namespace and selector.matches(a.metadata.labels)
        }
        within = universe.members(universe.in_namespace.get(namespace, 0))
        found |= set_of(c.index for c in within if (c.service_account or "default") in chosen)
    return found


def _selector(labels: dict[str, object]) -> LabelSelector:
    return msgspec.convert(labels, LabelSelector)
