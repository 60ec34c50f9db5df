"""What goes wrong outside, as errors of ours: one clear line each, saying what was tried and what was seen.

The SDKs are imported here only when one of their exceptions is already at hand, so translating costs nothing otherwise.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any

import msgspec

from eksnetpol.errors import (
    Denied,
    EksNetpolError,
    NotFound,
    TransientError,
    Unauthenticated,
    Unreachable,
    UnreadableInput,
    UsageError,
)

_DENIED = re.compile(r"AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized")
_UNAUTHENTICATED = re.compile(
    r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|AuthFailure"
    r"|RequestExpired|MissingAuthenticationToken|InvalidToken"
)
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown")
_MISSING = re.compile(r"NotFound|NoSuchEntity")
_LONGEST = 400
_FIRST_WORDS = 120
_SERVER_ERROR = 500
_FORBIDDEN = 403


def one_line(text: object) -> str:
    """Return *text* on one line, without control characters, cut where it goes on for too long."""
    words = " ".join(re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]", " ", str(text)).split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


# --- AWS --------------------------------------------------------------------------------------------------------------


def aws_fault(error: Exception, action: str) -> EksNetpolError:
    """Return *error*, which botocore raised while calling *action* (``eks:DescribeAddon``), as one of ours."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    if isinstance(error, boto.ClientError):
        return _refusal(error.response, action)
    if isinstance(error, (boto.ProfileNotFound, boto.NoRegionError, boto.ParamValidationError, boto.ConfigParseError)):
        return UsageError(f"{action}: {one_line(error)}")
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)):
        return Unreachable(f"{action} got no answer: {one_line(error)}; check the network, proxy and --endpoint-url")
    if isinstance(error, (ResponseParserError, boto.UnknownServiceError)):
        return UnreadableInput(action, f"the answer is not one of AWS's, perhaps a proxy's: {_beginning(str(error))}")
    # What is left of botocore's errors is about finding and renewing credentials.
    return Unauthenticated(
        f"{action}: no usable AWS credentials: {one_line(error)}; sign in (aws sso login) or choose a --profile"
    )


def _beginning(complaint: str) -> str:
    """Return the first words of the body that botocore could not parse and quotes in its complaint, without markup."""
    _, quoted, body = complaint.partition("b'")
    text = re.sub(r"<[^>]*>|\\[nrt]", " ", body.rstrip("'")) if quoted else complaint
    return one_line(text)[:_FIRST_WORDS]


def _refusal(response: Mapping[str, Any], action: str) -> EksNetpolError:
    details = response.get("Error", {})
    code = str(details.get("Code", ""))
    about = response.get("ResponseMetadata", {})
    request = f", request id {about['RequestId']}" if about.get("RequestId") else ""
    said = f"{one_line(details.get('Message', ''))} ({code}{request})"
    if _DENIED.search(code):
        return Denied(f"not authorized to perform {action}: {said}", permission=action)
    if _UNAUTHENTICATED.search(code):
        return Unauthenticated(f"{action}: AWS refuses these credentials: {said}; sign in again (aws sso login)")
    if _THROTTLED.search(code):
        return TransientError(f"{action} was throttled, retries included: {said}; try again later")
    if _MISSING.search(code):
        return NotFound(f"{action}: {said}", kind=action)
    if int(about.get("HTTPStatusCode", 0)) >= _SERVER_ERROR:
        return TransientError(f"{action} failed on AWS's side, retries included: {said}; try again later")
    return EksNetpolError(f"{action} was rejected: {said}")


# --- the API server ---------------------------------------------------------------------------------------------------


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


_STATUS = msgspec.json.Decoder(_Status)


def status_of(body: bytes) -> tuple[str, str]:
    """Return message and reason of a Status object; of anything else its first words, and no reason."""
    try:
        status = _STATUS.decode(body)
    except msgspec.MsgspecError:
        return one_line(body[:_LONGEST].decode("utf-8", "replace")), ""
    return one_line(status.message), status.reason


_ANSWERS: Mapping[int, tuple[type[EksNetpolError], str]] = {
    401: (
        Unauthenticated,
        "{server} does not accept these credentials (401 while trying to {asked}{detail}); are they among its access entries?",
    ),
    404: (NotFound, "{server} has nothing to {asked} (404{detail})"),
    407: (Unreachable, "the proxy between here and {server} wants to be signed in to (407)"),
    410: (TransientError, "the pages of {asked} expired while they were read, twice (410{detail}); try again"),
    429: (TransientError, "{server} has too much to do to {asked} (429{detail}), retries included; try again later"),
}


def http_fault(status: int, body: bytes, asked: str, server: str) -> EksNetpolError:
    """Return an API server's answer that is no success as one of our errors; *asked* is e.g. ``list pods``."""
    said, _ = status_of(body)
    detail = f": {said}" if said else ""
    if status == _FORBIDDEN:
        return Denied(f"not allowed to {asked} (403{detail}); see eksnetpol permissions show", permission=asked)
    if status in _ANSWERS:
        kind, text = _ANSWERS[status]
        return kind(text.format(server=server, asked=asked, detail=detail))
    if status >= _SERVER_ERROR:
        return TransientError(f"{server} failed to {asked} ({status}{detail}), retries included; try again later")
    return EksNetpolError(f"{server} refused to {asked} ({status}{detail})")


def transport_fault(error: Exception, asked: str, server: str) -> EksNetpolError:
    """Return what urllib3 raised while nothing was answered as `Unreachable`, saying which kind of nothing."""
    from urllib3 import exceptions as http

    reason: BaseException = error
    while isinstance(reason, http.MaxRetryError) and reason.reason is not None:
        reason = reason.reason
    told = one_line(_innermost(reason))
    if isinstance(reason, http.ProxyError):
        why = f"the proxy does not let us through: {told}"
    elif isinstance(reason, (http.SSLError, ssl.SSLError)):
        why = f"its certificate is not the one expected (TLS): {told}; is this the right cluster, or a proxy in between?"
    elif isinstance(reason, http.NameResolutionError):
        why = f"its name cannot be resolved (DNS): {told}"
    elif isinstance(reason, http.NewConnectionError):
        why = f"no connection: {told}"
    elif isinstance(reason, http.ConnectTimeoutError):
        why = "nobody answered in time; a private endpoint is only reachable from inside its VPC"
    elif isinstance(reason, (http.TimeoutError, TimeoutError)):
        why = "it did not finish its answer in time; a larger --request-timeout may help"
    else:
        why = f"the connection broke: {told}"
    return Unreachable(f"could not {asked} at {server}: {why}")


def _innermost(error: BaseException) -> object:
    # urllib3 wraps what the system said in its own object's repr, which tells the reader nothing.
    text = str(error)
    return re.sub(r"^\S*(HTTPS?Connection|HTTPS?ConnectionPool)\([^)]*\):\s*", "", text) or type(error).__name__


def unreadable(error: Exception, asked: str, server: str) -> UnreadableInput:
    """Return a decoding failure: the answer came, but it is not what *asked* should give."""
    return UnreadableInput(server, f"the answer to {asked} is not what it should be: {one_line(error)}")
