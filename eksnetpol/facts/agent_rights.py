"""What the service account of ``aws-node`` may do."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import AccessReview, ClusterRole, PolicyRule
from eksnetpol.model.snapshot import SourceKind, Unread

GROUP = "networking.k8s.aws"
AGENT = "system:serviceaccount:kube-system:aws-node"
ROLE = "aws-node"


@dataclass(frozen=True, slots=True)
class AgentRights:
    """The API server's own answers, or else the rules of ClusterRole ``aws-node``.

    ``rules_decide`` is True where a rule that is not there means a refusal: in files, which hold the role as it will be. In a
    live cluster another role may grant the same.
    """

    reviews: tuple[AccessReview, ...]
    rules: tuple[PolicyRule, ...]
    rules_decide: bool

    def may(self, verb: str, resource: str, group: str = GROUP) -> bool | None:
        """Say whether the agent may *verb* all objects of *resource*, None where nobody answered that."""
        for review in self.reviews:
            if (review.verb, review.group, review.resource) == (verb, group, resource):
                return review.allowed
        return self._by_rules(any(grants(rule, verb, group, resource) for rule in self.rules))

    def may_get(self, path: str) -> bool | None:
        """Say whether the agent may ask for *path*, None where nobody answered that."""
        for review in self.reviews:
            if (review.verb, review.path) == ("get", path):
                return review.allowed
        return self._by_rules(any(_grants_path(rule, path) for rule in self.rules))

    def _by_rules(self, granted: bool) -> bool | None:
        return True if granted else False if self.rules_decide else None


def grants(rule: PolicyRule, verb: str, group: str, resource: str) -> bool:
    """Say whether *rule* lets its bearer *verb* every object of *resource*."""
    return (
        not rule.resource_names
        and bool({"*", verb} & set(rule.verbs))
        and bool({"*", group} & set(rule.api_groups))
        and bool({"*", resource} & set(rule.resources))
    )


def _grants_path(rule: PolicyRule, path: str) -> bool:
    if not {"*", "get"} & set(rule.verbs):
        return False
    return any(u == path or (u.endswith("*") and path.startswith(u[:-1])) for u in rule.non_resource_ur_ls)


@fact
def agent_rights(
    agent_access: tuple[AccessReview, ...] | Unread,
    cluster_roles: tuple[ClusterRole, ...] | Unread,
    source: SourceKind,
) -> AgentRights | Unread:
    """What the agent may do: asked of the API server where that is allowed, else read from its ClusterRole."""
    role = None
    if not isinstance(cluster_roles, Unread):
        role = next((r for r in cluster_roles if r.metadata.name == ROLE), None)
    rules = () if role is None else role.rules
    if not isinstance(agent_access, Unread):
        return AgentRights(agent_access, rules, rules_decide=False)
    if role is None:
        return agent_access
    return AgentRights((), rules, rules_decide=source is SourceKind.MANIFESTS)
