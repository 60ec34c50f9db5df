"""Proving who we are to an EKS API server: a presigned GetCallerIdentity URL, as a bearer token.

The API server's authenticator opens the token, checks that the URL leads to STS and that it is signed for this cluster, and
calls it. See kubernetes-sigs/aws-iam-authenticator, README, *API Authorization from Outside a Cluster*.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from eksnetpol.gateways.aws_door import translated
from eksnetpol.gateways.kubernetes_http import Credentials

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
URL_LIFETIME = 60
"""Seconds the URL says it is good for. The authenticator takes a token for fifteen minutes nevertheless."""

RENEW_AFTER = 14 * 60
"""Seconds after which a new token is made: a minute before the authenticator would stop taking the old one."""


def presigned_token(session: Any, region: str, cluster: str, sts_endpoint: str) -> str:
    """Return a token for *cluster*, signed with the credentials of the boto3 *session*.

    *sts_endpoint* is the regional one: the authenticator of some clusters takes no other.
    """
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner

    with translated("sts:GetCallerIdentity"):
        signer = RequestSigner(
            ServiceId("STS"),
            region,
            "sts",
            "v4",
            session.get_credentials(),
            session._session.get_component("event_emitter"),  # noqa: SLF001
        )
        url = signer.generate_presigned_url(
            {
                "method": "GET",
                "url": f"{sts_endpoint.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
                "body": {},
                "headers": {CLUSTER_HEADER: cluster},
                "context": {},
            },
            region_name=region,
            expires_in=URL_LIFETIME,
            operation_name="",
        )
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


class EksToken(Credentials):
    """A token that is renewed before it expires, and once more when it is refused. For any number of threads."""

    def __init__(self, mint: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._mint = mint
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._born = 0.0

    def headers(self) -> Mapping[str, str]:
        """Return the header, with a token that is young enough."""
        with self._lock:
            if not self._token or self._clock() - self._born >= RENEW_AFTER:
                self._renew()
            return _bearer(self._token)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Make a new token, unless another thread has already replaced the one that was *refused*."""
        with self._lock:
            if refused == _bearer(self._token):
                self._renew()
            return True

    def _renew(self) -> None:
        self._token = self._mint()
        self._born = self._clock()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
