"""STS, IAM, EC2 and CloudWatch Logs: moto's server in a process of its own, and what points a client at it."""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.testbed.processes import NeverReady, Running, free_ports, start

ACCOUNT = "123456789012"
REGION = "us-west-2"
SERVICES = ("STS", "IAM", "EC2", "CLOUDWATCH_LOGS")
"""As botocore names a service in ``AWS_ENDPOINT_URL_…``: by its service id."""
READY_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of somebody. Those of a role's session have a token."""

    access: str
    secret: str
    session: str = ""


OPERATOR = Keys("AKIATESTBEDOPERATOR0", "testbed-operator")
"""Keys that moto knows nothing of: it takes their holder for a user named ``moto``."""


@dataclass(slots=True)
class Aws:
    """A running moto server. ``secrets`` are those of all keys it gave out, by access key: it checks no signature itself."""

    url: str
    running: Running
    secrets: dict[str, str] = field(default_factory=lambda: {OPERATOR.access: OPERATOR.secret})

    @classmethod
    def start(cls, folder: Path) -> Aws:
        """Start a server with its log in *folder*; raise `NeverReady`."""
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        aws = cls(f"http://127.0.0.1:{port}", start("moto", command, folder / "moto.log"))
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            aws.running.check()
            try:
                with urllib.request.urlopen(f"{aws.url}/moto-api/data.json", timeout=5):  # noqa: S310 - our own server
                    return aws
            except OSError:
                time.sleep(0.1)
        raise NeverReady(f"{aws.url} does not answer:\n{aws.running.tail()}")

    def environment(self, eks: str | None = None, keys: Keys = OPERATOR) -> dict[str, str]:
        """Return the environment for a subprocess: this one without its own AWS settings, and all services pointed here.

        *eks* is the URL of an EKS endpoint (`tests.testbed.eks_endpoint`). Instance metadata is off: no role may leak in.
        """
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**clean, **self.settings(eks, keys)}

    def settings(self, eks: str | None = None, keys: Keys = OPERATOR) -> Mapping[str, str]:
        """Return only what `environment` adds."""
        session = {"AWS_SESSION_TOKEN": keys.session} if keys.session else {}
        return {
            **{f"AWS_ENDPOINT_URL_{service}": self.url for service in SERVICES},
            **({"AWS_ENDPOINT_URL_EKS": eks} if eks else {}),
            "AWS_ACCESS_KEY_ID": keys.access,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            **session,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, keys: Keys = OPERATOR) -> Any:
        """Return a boto3 client of one of the services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=keys.access,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.session or None,
        )

    def user(self, name: str) -> Keys:
        """Make an IAM user and return keys of theirs."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return self._known(Keys(made["AccessKeyId"], made["SecretAccessKey"]))

    def role_session(self, role: str, session: str) -> Keys:
        """Make an IAM role that anybody may take, and return the keys of a session of it."""
        trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}'
        arn = self.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
        return self._known(Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))

    def reset(self) -> None:
        """Forget everything that was made."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310 - our own server
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - as above
        self.secrets = {OPERATOR.access: OPERATOR.secret}

    def stop(self) -> None:
        """End the server."""
        self.running.stop(grace=0.5)

    def _known(self, keys: Keys) -> Keys:
        self.secrets[keys.access] = keys.secret
        return keys
