"""The token an EKS API server is shown, and when there is a new one."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from eksnetpol.errors import Unauthenticated
from eksnetpol.gateways.eks_token import PREFIX, RENEW_AFTER, EksToken, presigned_token


def session(token: str | None = None) -> boto3.Session:
    return boto3.Session("AKIDEXAMPLE", "secret", token, region_name="eu-central-1")


def opened(token: str) -> str:
    assert token.startswith(PREFIX)
    body = token.removeprefix(PREFIX)
    assert "=" not in body
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()


def test_a_token_is_a_presigned_url_for_this_cluster() -> None:
    url = urlsplit(opened(presigned_token(session(), "eu-central-1", "prod", "https://sts.eu-central-1.amazonaws.com")))
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("https", "sts.eu-central-1.amazonaws.com", "/")
    assert query["Action"] == "GetCallerIdentity"
    assert query["Version"] == "2011-06-15"
    assert query["X-Amz-Expires"] == "60"
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert query["X-Amz-Credential"].startswith("AKIDEXAMPLE/")
    assert query["X-Amz-Credential"].endswith("/eu-central-1/sts/aws4_request")
    assert len(query["X-Amz-Signature"]) == 64


def test_a_session_token_goes_along() -> None:
    url = opened(presigned_token(session("session-token"), "eu-central-1", "prod", "https://sts.eu-central-1.amazonaws.com"))
    assert parse_qs(urlsplit(url).query)["X-Amz-Security-Token"] == ["session-token"]


def test_without_credentials_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = session()
    monkeypatch.setattr(nobody, "get_credentials", lambda: None)
    with pytest.raises(Unauthenticated):
        presigned_token(nobody, "eu-central-1", "prod", "https://sts.eu-central-1.amazonaws.com")


class _Mint:
    """Makes numbered tokens, and keeps a clock."""

    def __init__(self) -> None:
        self.made = 0
        self.now = 1000.0

    def __call__(self) -> str:
        self.made += 1
        return f"token-{self.made}"

    def clock(self) -> float:
        return self.now


def test_a_token_is_kept_for_less_than_fourteen_minutes_and_then_renewed() -> None:
    mint = _Mint()
    token = EksToken(mint, mint.clock)
    assert token.headers() == {"Authorization": "Bearer token-1"}
    mint.now += RENEW_AFTER - 1
    assert token.headers() == {"Authorization": "Bearer token-1"}
    mint.now += 1
    assert token.headers() == {"Authorization": "Bearer token-2"}
    mint.now += RENEW_AFTER - 1
    assert token.headers() == {"Authorization": "Bearer token-2"}
    assert RENEW_AFTER <= 14 * 60


def test_a_refused_token_is_replaced_once_however_many_threads_were_refused() -> None:
    mint = _Mint()
    token = EksToken(mint, mint.clock)
    refused = token.headers()
    together = threading.Barrier(8)

    def complain(_: int) -> bool:
        together.wait()
        return token.renew(refused)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(complain, range(8)))
    assert mint.made == 2
    assert token.headers() == {"Authorization": "Bearer token-2"}


def test_many_threads_share_one_first_token() -> None:
    mint = _Mint()
    token = EksToken(mint, mint.clock)
    with ThreadPoolExecutor(8) as pool:
        headers = list(pool.map(lambda _: token.headers()["Authorization"], range(64)))
    assert set(headers) == {"Bearer token-1"}
    assert mint.made == 1
