"""The authenticator of an EKS cluster: a TokenReview webhook that opens tokens and asks STS who signed them.

What is refused, and in which order, follows kubernetes-sigs/aws-iam-authenticator, ``pkg/token/token.go``: the URL must lead to
STS's ``GetCallerIdentity`` with no parameters but those of a signature, sign the header ``x-k8s-aws-id``, and be at most fifteen
minutes old, whatever ``X-Amz-Expires`` says. The call then carries the name of *this* cluster in that header, so the signature of
a token for another cluster does not hold. The STS asked here is moto's, which checks no signatures: that is done here too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from tests.testbed.cluster import User

Json = dict[str, Any]

PREFIX = "k8s-aws-v1."
HEADER = "x-k8s-aws-id"
LONGEST_TOKEN = 4096
GOOD_FOR = timedelta(minutes=15)
LONGEST_EXPIRY = 900
PARAMETERS = {
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
}


class Refused(Exception):
    """A token is not taken; the text says why."""


@dataclass(slots=True)
class Authenticator:
    """Who may into one cluster: ``users`` by the ARN of a user or a role, ``secrets`` by access key. ``refused`` says why not."""

    cluster: str
    sts: str
    secrets: Mapping[str, str]
    users: dict[str, User]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    url: str = ""
    refused: list[str] = field(default_factory=list)

    def review(self, review: Json) -> Json:
        """Answer a TokenReview."""
        answer = {"apiVersion": review["apiVersion"], "kind": "TokenReview"}
        try:
            user = self.user_of(review["spec"]["token"])
        except Refused as why:
            self.refused.append(str(why))
            return answer | {"status": {"authenticated": False, "error": str(why)}}
        return answer | {"status": {"authenticated": True, "user": {"username": user.name, "groups": list(user.groups)}}}

    def user_of(self, token: str) -> User:
        """Return whom a token stands for; raise `Refused`."""
        url = _opened(token)
        parameters = _parameters(url, self.sts)
        self._check_age(parameters)
        self._check_signature(url, parameters)
        arn = canonical(self._ask_sts(url, parameters["x-amz-credential"]))
        if arn not in self.users:
            raise Refused(f"ARN is not mapped: {arn}")
        return self.users[arn]

    def _check_age(self, parameters: Mapping[str, str]) -> None:
        expires = parameters.get("x-amz-expires", "")
        if not expires.isascii() or not expires.isdigit() or int(expires) > LONGEST_EXPIRY:
            raise Refused(f"invalid X-Amz-Expires parameter in pre-signed URL: {expires}")
        try:
            signed = datetime.strptime(parameters.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise Refused("X-Amz-Date parameter must be present in pre-signed URL") from error
        if self.clock() > signed + GOOD_FOR:
            raise Refused("X-Amz-Date parameter is expired (15 minute expiration)")

    def _check_signature(self, url: str, parameters: Mapping[str, str]) -> None:
        """Do what STS does with this cluster's name in the header (docs.aws.amazon.com, "Create a signed AWS API request")."""
        access, day, region, service, _ = (*parameters.get("x-amz-credential", "").split("/"), *[""] * 5)[:5]
        secret = self.secrets.get(access)
        if secret is None:
            raise Refused("error from AWS (expected 200, got 403): InvalidClientTokenId")
        parts = urlsplit(url)
        pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(parts.query, keep_blank_values=True))
        query = "&".join(f"{k}={v}" for k, v in pairs if k.lower() != "x-amz-signature")
        signed = parameters["x-amz-signedheaders"].lower().split(";")
        values = {"host": parts.netloc, HEADER: self.cluster}
        if not set(signed) <= set(values):
            raise Refused(f"error from AWS (expected 200, got 403): headers {signed} are signed, not all are sent")
        headers = "".join(f"{name}:{values[name]}\n" for name in sorted(signed))
        nothing = hashlib.sha256(b"").hexdigest()
        canonical_request = "\n".join(("GET", "/", query, headers, ";".join(sorted(signed)), nothing))
        scope = f"{day}/{region}/{service}/aws4_request"
        digest = hashlib.sha256(canonical_request.encode()).hexdigest()
        to_sign = "\n".join(("AWS4-HMAC-SHA256", parameters["x-amz-date"], scope, digest))
        key = f"AWS4{secret}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(key.hex(), parameters.get("x-amz-signature", "")):
            raise Refused("error from AWS (expected 200, got 403): SignatureDoesNotMatch")

    def _ask_sts(self, url: str, credential: str) -> str:
        # Moto reads who asks, and of which service, from this header only, which a presigned URL does not need.
        named = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"}
        request = urllib.request.Request(url, headers={HEADER: self.cluster, "accept": "application/json", **named})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - it begins with the STS given
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            raise Refused(f"error from AWS (expected 200, got {error.code})") from error
        except OSError as error:
            raise Refused(f"error during GET: {error}") from error
        found = re.search(r"<Arn>([^<]+)</Arn>", text) or re.search(r'"Arn":\s*"([^"]+)"', text)
        if found is None:
            raise Refused("STS named no ARN")
        return found[1]


def canonical(arn: str) -> str:
    """Return the role's ARN for a session of it, anything else as it is."""
    session = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    return arn if session is None else f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}"


def _opened(token: str) -> str:
    if len(token) > LONGEST_TOKEN:
        raise Refused("token is too large")
    if not token.startswith(PREFIX):
        raise Refused(f"token is missing expected {PREFIX!r} prefix")
    encoded = token.removeprefix(PREFIX)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refused(f"the token cannot be decoded: {error}") from error


def _parameters(url: str, sts: str) -> Mapping[str, str]:
    """Return the query by lower-case names, after all checks that need no clock; the host must be that of *sts*."""
    parts, wanted = urlsplit(url), urlsplit(sts)
    if (parts.scheme, parts.netloc) != (wanted.scheme, wanted.netloc):
        raise Refused(f"unexpected hostname {parts.netloc!r} in pre-signed URL")
    if parts.path != "/":
        raise Refused("unexpected path in pre-signed URL")
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name.lower() not in PARAMETERS:
            raise Refused(f"non-whitelisted query parameter {name!r}")
        if name.lower() in query:
            raise Refused("query parameter with multiple values not supported")
        query[name.lower()] = value
    if query.get("action") != "GetCallerIdentity":
        raise Refused("unexpected action parameter in pre-signed URL")
    if HEADER not in query.get("x-amz-signedheaders", "").lower().split(";"):
        raise Refused(f"client did not sign the {HEADER} header in the pre-signed URL")
    return query


class _Handler(BaseHTTPRequestHandler):
    authenticator: Authenticator

    def log_message(self, *_: object) -> None:
        """Say nothing: refusals are kept."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(self.authenticator.review(review)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@contextmanager
def serving(authenticator: Authenticator) -> Iterator[Authenticator]:
    """Serve the webhook on a free port of the loopback address; ``url`` is for `ControlPlane.start`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"authenticator": authenticator}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authenticator.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield authenticator
    finally:
        server.shutdown()
        server.server_close()
