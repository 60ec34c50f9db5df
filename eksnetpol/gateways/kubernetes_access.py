"""What is asked of an API server: who may do what."""

from __future__ import annotations

from typing import Any

import msgspec

from eksnetpol.gateways.kubernetes_http import ApiServer
from eksnetpol.gateways.kubernetes_lists import decode
from eksnetpol.gateways.permits import ASKING, MIGRATING, needs, rbac
from eksnetpol.model import kubernetes as k8s

AGENT = "system:serviceaccount:kube-system:aws-node"
_GROUP = "authorization.k8s.io"
_ROOT = f"/apis/{_GROUP}/v1"
REVIEW = rbac("create", "subjectaccessreviews", _GROUP)
SELF_REVIEW = rbac("create", "selfsubjectaccessreviews", _GROUP)

_GROUPS = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]


class _Status(msgspec.Struct, frozen=True):
    allowed: bool = False
    reason: str = ""


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


def _agent_questions() -> tuple[tuple[str, str, str, str], ...]:
    """Return verb, group, resource and path of what an agent of some release or other must be able to do.

    Sources: the ClusterRole in aws/amazon-vpc-cni-k8s config/master/aws-k8s-cni.yaml (policyendpoints since v1.14.0,
    clusterpolicyendpoints since v1.21.1, the discovery path since v1.21.0), and its README on ANNOTATE_POD_IP for pods.
    """
    group = "networking.k8s.aws"
    endpoints = tuple(
        (verb, group, resource, "")
        for resource in ("policyendpoints", "clusterpolicyendpoints")
        for verb in ("get", "list", "watch")
    )
    return (*endpoints, ("get", "", "", f"/apis/{group}"), ("patch", "", "pods", ""))


class AccessQuestions:
    """Access reviews: the API server answers and keeps nothing."""

    api: ApiServer

    @needs(REVIEW)
    def agent_access(self) -> tuple[k8s.AccessReview, ...]:
        """Return what the API server would let the agent's service account do."""
        reviews = []
        for verb, group, resource, path in _agent_questions():
            spec = {"user": AGENT, "groups": _GROUPS, **_attributes(verb, resource, group, "", path)}
            status = self._ask("subjectaccessreviews", "SubjectAccessReview", spec)
            reviews.append(k8s.AccessReview(AGENT, verb, status.allowed, group, resource, path, status.reason))
        return tuple(reviews)

    @needs(SELF_REVIEW, commands=(*ASKING, *MIGRATING))
    def may(
        self, verb: str, resource: str, *, group: str = "", name: str = "", path: str = "", namespace: str = ""
    ) -> bool:
        """Say whether we may do that, in every namespace or in *namespace*; *path* asks about a path instead of a resource."""
        spec = _attributes(verb, resource, group, name, path, namespace)
        return self._ask("selfsubjectaccessreviews", "SelfSubjectAccessReview", spec).allowed

    def _ask(self, plural: str, kind: str, spec: dict[str, Any]) -> _Status:
        needed = SELF_REVIEW if kind.startswith("Self") else REVIEW
        body = self.api.post(f"{_ROOT}/{plural}", needed, {"apiVersion": f"{_GROUP}/v1", "kind": kind, "spec": spec})
        return decode(body, _Review, str(needed), self.api.server).status


def _attributes(verb: str, resource: str, group: str, name: str, path: str, namespace: str = "") -> dict[str, Any]:
    if path:
        return {"nonResourceAttributes": {"verb": verb, "path": path}}
    named = {key: value for key, value in (("name", name), ("namespace", namespace)) if value}
    return {"resourceAttributes": {"verb": verb, "group": group, "resource": resource, **named}}
