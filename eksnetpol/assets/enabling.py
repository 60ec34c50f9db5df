"""The smallest objects that bring the network policy agent to an ``aws-node`` that is there: to be applied, never to be created.

Each names only what the agent needs, lists by the keys of their entries, so that applying it touches nothing else. Two fields are
one value to the API server and so are always whole: the arguments of a container, and the rules of a ClusterRole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from eksnetpol.assets.history import history
from eksnetpol.assets.manifests import CNI, Install, agent_container, agent_rules, agent_volumes
from eksnetpol.model.kinds import Json
from eksnetpol.model.versions import Release

MODE = "NETWORK_POLICY_ENFORCING_MODE"
"""The variable of the CNI that says what a new pod may do before policies have reached it."""


def agent_daemonset(install: Install) -> Json:
    """Return the agent's container, the volumes it mounts and, where the release has it, the enforcing mode, as a DaemonSet.

    Without the mode a CNI from v1.19.4 on never asks the agent, and agents from v1.2.4 on do not start.
    """
    mode = enforcing_mode(install)
    cni = [] if mode is None else [{"name": CNI, "env": [{"name": MODE, "value": mode}]}]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": [*cni, agent_container(install)], "volumes": list(agent_volumes(install))}}},
    }


def enforcing_mode(install: Install) -> str | None:
    """Return the enforcing mode of *install*, None where neither its release nor its settings have one."""
    own = next((v.value for v in history().variable if v.name == MODE and v.holds(install.release)), "")
    return install.settings.text(f"env.{MODE}", own) or None


def controller_switch(*, on: bool) -> Json:
    """Return the key that tells the controller in the control plane whether to act on policies, as a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
        "data": {"enable-network-policy-controller": "true" if on else "false"},
    }


def agent_role(live_rules: Sequence[Mapping[str, Any]], agent: Release) -> Json | None:
    """Return ClusterRole ``aws-node`` with the rules it has and those *agent* lacks, None where it lacks none."""
    missing = missing_rules(live_rules, agent_rules(agent))
    if not missing:
        return None
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "aws-node"},
        "rules": [*map(dict, live_rules), *missing],
    }


def missing_rules(live: Iterable[Mapping[str, Any]], needed: Iterable[Json]) -> tuple[Json, ...]:
    """Return those of *needed* that *live* does not grant in full. A rule for named objects alone grants nothing here."""
    granting = tuple(rule for rule in live if not rule.get("resourceNames"))
    return tuple(rule for rule in needed if not all(any(map(grants, granting)) for grants in _asked(rule)))


def _asked(rule: Json) -> Iterable[_Asked]:
    """Return what *rule* grants, one by one."""
    if "nonResourceURLs" in rule:
        return (_Asked(url=url, verb=verb) for url, verb in product(rule["nonResourceURLs"], rule["verbs"]))
    parts = product(rule["apiGroups"], rule["resources"], rule["verbs"])
    return (_Asked(group=group, resource=resource, verb=verb) for group, resource, verb in parts)


class _Asked:
    """One verb on one resource or URL; called with a rule it says whether that grants it."""

    def __init__(self, *, verb: str, group: str = "", resource: str = "", url: str = "") -> None:
        self._verb, self._group, self._resource, self._url = verb, group, resource, url

    def __call__(self, rule: Mapping[str, Any]) -> bool:
        if not {"*", self._verb} & set(rule.get("verbs") or ()):
            return False
        if self._url:
            return any(_covers(pattern, self._url) for pattern in rule.get("nonResourceURLs") or ())
        groups, resources = set(rule.get("apiGroups") or ()), set(rule.get("resources") or ())
        # `*/status` means the subresource of every resource.
        subresource = f"*/{self._resource.partition('/')[2]}"
        return bool({"*", self._group} & groups) and bool({"*", self._resource, subresource} & resources)


def _covers(pattern: str, url: str) -> bool:
    return pattern in {"*", url} or (pattern.endswith("*") and url.startswith(pattern[:-1]))
