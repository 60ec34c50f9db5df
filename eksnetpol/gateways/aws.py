"""AWS as one gateway: `interfaces.AwsGateway` over all services that are asked."""

from __future__ import annotations

from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.ec2 import Ec2Calls
from eksnetpol.gateways.eks import EksCalls
from eksnetpol.gateways.iam import IamCalls
from eksnetpol.gateways.logs import LogCalls
from eksnetpol.gateways.sts import StsCalls


class Aws(EksCalls, Ec2Calls, IamCalls, LogCalls, StsCalls):
    """One account and region."""

    def __init__(self, door: AwsDoor) -> None:
        self.door = door
