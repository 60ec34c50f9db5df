"""AWS STS: who we are."""

from __future__ import annotations

from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.permits import ASKING, READING, iam, needs
from eksnetpol.model import eks


class StsCalls:
    """Questions to STS."""

    door: AwsDoor

    @needs(iam("sts:GetCallerIdentity"), commands=(*READING, *ASKING))
    def caller(self) -> eks.Caller:
        """Return who we are. AWS answers whoever has credentials at all."""
        answer = self.door.call("sts", "GetCallerIdentity")
        return eks.Caller(account=answer.get("Account", ""), arn=answer.get("Arn", ""))
