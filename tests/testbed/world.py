"""A whole cluster to point the tool at: control plane, EKS endpoint, AWS, and tokens that are really verified."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.testbed import eks_tokens
from tests.testbed.aws import Aws, Keys
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.eks_endpoint import QUICK, EksEndpoint
from tests.testbed.eks_endpoint import serving as serving_eks
from tests.testbed.eks_endpoint_objects import RealPlace
from tests.testbed.eks_tokens import Authenticator
from tests.testbed.scenario import Scenario, await_pods, ec2_side, eks_side, load

TOOL = (sys.executable, "-m", "eksnetpol")
ROOT = Path(__file__).parent.parent.parent
READER_GROUP = "eksnetpol-read"


@dataclass(frozen=True, slots=True)
class World:
    """A running scenario. ``reader`` are the AWS keys of somebody whom the cluster maps to the group of readers."""

    scenario: Scenario
    plane: ControlPlane
    endpoint: EksEndpoint
    aws: Aws
    authenticator: Authenticator
    reader: Keys

    def run(self, *args: str, keys: Keys | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the tool with everything of AWS pointed here."""
        env = self.aws.environment(self.endpoint.url, keys or self.reader) | {"KUBECONFIG": "/dev/null", **environment}
        return subprocess.run([*TOOL, *args], cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    def live(self, *args: str, keys: Keys | None = None) -> subprocess.CompletedProcess[str]:
        """Run the tool on this cluster by its name, with the way in that EKS gives."""
        return self.run(*args, "--cluster", self.scenario.cluster, "--region", "us-west-2", keys=keys)


@contextmanager
def running(described: Scenario, folder: Path, aws: Aws, *, users: Iterable[User] = ()) -> Iterator[World]:
    """Build *described* and keep it running."""
    with ExitStack() as stack:
        reader = aws.user("reader")
        arn = aws.client("sts", reader).get_caller_identity()["Arn"]
        mapping = {arn: User("reader", (READER_GROUP,))}
        authenticator = Authenticator(described.cluster, aws.url, aws.secrets, mapping)
        stack.enter_context(eks_tokens.serving(authenticator))
        plane = ControlPlane.start(
            folder,
            family=described.data["family"],
            version=described.data["serverVersion"],
            users=users,
            token_webhook=authenticator.url,
        )
        stack.callback(plane.stop)
        plane.start_controllers()
        plane.start_scheduler()
        plane.start_kwok()
        ec2 = ec2_side(described, aws)
        load(described, plane, ec2)
        await_pods(plane)
        service = replace(eks_side(described, plane, ec2), timing=QUICK)
        endpoint = stack.enter_context(serving_eks(EksEndpoint(service, RealPlace(plane))))
        yield World(described, plane, endpoint, aws, authenticator, reader)
