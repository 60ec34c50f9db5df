"""AWS IAM: what a principal may do."""

from __future__ import annotations

from collections.abc import Sequence

from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.permits import ASKING, READING, ROLES, USERS, iam, needs
from eksnetpol.model import eks


class IamCalls:
    """Questions to IAM."""

    door: AwsDoor

    @needs(iam("iam:SimulatePrincipalPolicy", ROLES, USERS), commands=(*READING, *ASKING))
    def simulate(self, role_arn: str, actions: Sequence[str], resources: Sequence[str]) -> tuple[eks.RoleAnswer, ...]:
        """Return IAM's answer for each action: may this principal do it to these resources?

        The answer covers the principal's own policies and its boundary, not session policies nor what a service adds.
        """
        found = self.door.pages(
            "iam",
            "SimulatePrincipalPolicy",
            "EvaluationResults",
            PolicySourceArn=role_arn,
            ActionNames=list(actions),
            ResourceArns=list(resources),
        )
        allowed: dict[str, bool] = {}
        for one in found:
            action = one["EvalActionName"]
            allowed[action] = allowed.get(action, True) and one["EvalDecision"] == "allowed"
        return tuple(eks.RoleAnswer(role_arn, action, allowed.get(action, False)) for action in actions)
