"""What live objects are held to, and where each rule comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from eksnetpol.model.findings import Severity

_CONTROLLER = "https://github.com/aws/amazon-network-policy-controller-k8s"
_MANAGER = f"{_CONTROLLER}/blob/main/pkg/policyendpoints/manager.go"
_FAQ = "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/network-policy-faq.md"
_GUIDE = "https://docs.aws.amazon.com/eks/latest/userguide/network-policies-troubleshooting.html"


class Rule(NamedTuple):
    """A rule: what holds, how bad it is when it does not, and its source."""

    title: str
    severity: Severity
    source: str


RULES: Mapping[str, Rule] = {
    "policy-has-endpoints": Rule(
        "The controller writes at least one object for every policy, even an empty one", Severity.BLOCKER, _MANAGER
    ),
    "policy-has-finalizer": Rule(
        "The controller puts its finalizer on every policy it has seen", Severity.BLOCKER, f"{_CONTROLLER}/tree/main/internal"
    ),
    "policy-ends": Rule(
        "A policy that is deleted goes once the controller takes its finalizer off",
        Severity.BLOCKER,
        "https://github.com/aws/aws-network-policy-agent/issues/567",
    ),
    "policy-stops-no-controller": Rule(
        "No policy ends the controller's process", Severity.BLOCKER, f"{_CONTROLLER}/blob/main/pkg/resolvers/endpoints.go"
    ),
    "endpoint-has-policy": Rule("Every object belongs to a policy that is there", Severity.BLOCKER, _FAQ),
    "selector-is-current": Rule(
        "The selector of an object is that of its policy; the controller never updates it",
        Severity.WARNING,
        "https://github.com/aws/aws-network-policy-agent/issues/643",
    ),
    "pods-are-listed": Rule("Every ready pod that a policy selects is listed", Severity.BLOCKER, _GUIDE),
    "listed-pods-are-there": Rule("Only ready pods that a policy selects are listed", Severity.WARNING, _GUIDE),
    "addresses-are-current": Rule("Pods are listed with the addresses they and their nodes have", Severity.WARNING, _GUIDE),
    "rules-are-current": Rule(
        "The entries are those that the rules amount to", Severity.WARNING, f"{_CONTROLLER}/blob/main/pkg/resolvers/endpoints.go"
    ),
    "isolation-is-current": Rule("podIsolation is the policy's policyTypes", Severity.BLOCKER, _MANAGER),
    "entries-are-complete": Rule(
        "All objects of a policy are there: they are written one after the other",
        Severity.BLOCKER,
        "https://github.com/aws/amazon-network-policy-controller-k8s/issues/201",
    ),
    "objects-are-few": Rule("A policy needs few objects: every agent reads every one", Severity.ADVICE, _MANAGER),
    "objects-are-full": Rule("Objects of a shrunken policy stay, half empty", Severity.ADVICE, _MANAGER),
    "objects-are-light": Rule(
        "What all agents together read stays below 1 GiB",
        Severity.WARNING,
        "https://github.com/aws/aws-network-policy-agent/issues/211",
    ),
    "controller-writes-alone": Rule("Nobody but the controller writes these objects", Severity.WARNING, _FAQ),
    "pods-are-listed-once": Rule(
        "No pod is listed twice", Severity.WARNING, "https://github.com/aws/aws-network-policy-agent/issues/106"
    ),
    "names-are-apart": Rule(
        "A NetworkPolicy and an ApplicationNetworkPolicy of one namespace differ in name", Severity.WARNING, _MANAGER
    ),
    "addresses-are-not-recycled": Rule(
        "No entry opens the address of a pod that its rule does not mean",
        Severity.WARNING,
        "https://github.com/aws/amazon-network-policy-controller-k8s/pull/190",
    ),
}
"""By id, in the order in which they are reported."""
