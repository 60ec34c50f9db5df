"""Tokens are verified end to end: made by the AWS CLI, opened by the webhook, signed for this cluster, called against STS."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.testbed.aws import OPERATOR, Aws, Keys
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.eks_tokens import PREFIX, Authenticator, Refused, canonical, serving

pytestmark = pytest.mark.testbed

CLUSTER = "shop"
USER, ROLE = "arn:aws:iam::123456789012:user/jane", "arn:aws:iam::123456789012:role/operator"


@pytest.fixture
def authenticator(aws: Aws) -> Authenticator:
    users = {USER: User("jane", ("devs",)), ROLE: User("operator", ("ops",))}
    return Authenticator(CLUSTER, aws.url, aws.secrets, users)


@pytest.fixture(scope="module")
def operators(moto: Aws) -> str:
    """A token of the operator, whose keys outlive every reset."""
    return token(moto, OPERATOR)


def token(aws: Aws, keys: Keys, cluster: str = CLUSTER) -> str:
    """Return a token that the AWS CLI made."""
    command = [str(Path(sys.executable).with_name("aws")), "eks", "get-token", "--cluster-name", cluster, "--output", "json"]
    done = subprocess.run(command, env=aws.environment(keys=keys), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["status"]["token"])


def changed(token: str, old: str, new: str) -> str:
    encoded = token.removeprefix(PREFIX)
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    assert old in url, url
    return PREFIX + base64.urlsafe_b64encode(url.replace(old, new).encode()).decode().rstrip("=")


def test_a_token_of_the_aws_cli_is_its_users(aws: Aws, authenticator: Authenticator) -> None:
    assert authenticator.user_of(token(aws, aws.user("jane"))) == User("jane", ("devs",))


def test_a_roles_session_is_the_role(aws: Aws, authenticator: Authenticator) -> None:
    assert authenticator.user_of(token(aws, aws.role_session("operator", "me"))) == User("operator", ("ops",))
    assert canonical("arn:aws:sts::1:assumed-role/operator/me") == "arn:aws:iam::1:role/operator"


def test_a_token_for_another_cluster_does_not_hold(aws: Aws, authenticator: Authenticator) -> None:
    with pytest.raises(Refused, match="SignatureDoesNotMatch"):
        authenticator.user_of(token(aws, aws.user("jane"), "another"))


def test_a_token_is_good_for_fifteen_minutes(aws: Aws, authenticator: Authenticator) -> None:
    made = token(aws, aws.user("jane"))
    authenticator.clock = lambda: datetime.now(UTC) + timedelta(minutes=14)
    assert authenticator.user_of(made).name == "jane"
    authenticator.clock = lambda: datetime.now(UTC) + timedelta(minutes=15, seconds=1)
    with pytest.raises(Refused, match="expired"):
        authenticator.user_of(made)


def test_somebody_without_an_entry_is_refused(operators: str, authenticator: Authenticator) -> None:
    with pytest.raises(Refused, match=r"not mapped: .*user/moto"):
        authenticator.user_of(operators)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Action=GetCallerIdentity", "Action=GetSessionToken", "unexpected action"),
        ("Version=2011-06-15", "Version=2011-06-15&Colour=red", "non-whitelisted query parameter 'Colour'"),
        ("Version=2011-06-15", "Version=2011-06-15&version=2011-06-16", "multiple values"),
        ("x-k8s-aws-id", "x-other", "did not sign"),
        ("X-Amz-Expires=60", "X-Amz-Expires=901", "invalid X-Amz-Expires"),
        ("X-Amz-Date=2", "X-Amz-Date=x", "X-Amz-Date"),
        ("/?", "/elsewhere?", "unexpected path"),
        ("127.0.0.1", "sts.example.org", "unexpected hostname"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61", "SignatureDoesNotMatch"),
    ],
)
def test_a_changed_url_is_refused(operators: str, authenticator: Authenticator, old: str, new: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        authenticator.user_of(changed(operators, old, new))


@pytest.mark.parametrize(
    ("text", "why"),
    [("abc", "missing expected"), (PREFIX + "?", "cannot be decoded"), (PREFIX + "A" * 5000, "too large")],
)
def test_what_is_no_token_is_refused(authenticator: Authenticator, text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        authenticator.user_of(text)


@pytest.fixture
def served(programs: Components, authenticator: Authenticator, tmp_path: Path) -> Iterator[ControlPlane]:
    with serving(authenticator) as webhook:
        plane = ControlPlane.start(tmp_path, programs=programs, token_webhook=webhook.url)
        yield plane
        plane.stop()


def test_the_api_server_lets_in_whom_the_webhook_knows(aws: Aws, served: ControlPlane, authenticator: Authenticator) -> None:
    def asked(bearer: str) -> int:
        request = urllib.request.Request(f"{served.url}/apis", headers={"Authorization": f"Bearer {bearer}"})  # noqa: S310 - our server
        try:
            context = ssl.create_default_context(cadata=served.ca_pem)
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310 - as above
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    keys = aws.user("jane")
    assert asked(token(aws, keys)) == 200
    assert asked(token(aws, keys, "another")) == 401
    assert authenticator.refused == ["error from AWS (expected 200, got 403): SignatureDoesNotMatch"]
    assert asked(served.token()) == 200, "tokens of the file stay good beside the webhook"
