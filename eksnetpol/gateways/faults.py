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
    Busy,
    Conflict,
    Denied,
    EksNetpolError,
    Exists,
    NotFound,
    Rejected,
    TransientError,
    Unauthenticated,
    Unreachable,
    UnreadableInput,
    UsageError,
)
from eksnetpol.model.webhooks import unanswered

_DENIED = re.compile(r"AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized")
_UNAUTHENTICATED = re.compile(
    r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|AuthFailure"
    r"|RequestExpired|MissingAuthenticationToken|InvalidToken"
)
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown")
_MISSING = re.compile(r"NotFound|NoSuchEntity")
_IN_USE = re.compile(r"ResourceInUse|ResourceLimit|Conflict")
_UNFIT = re.compile(r"InvalidParameter|InvalidRequest|ClientException|ValidationException|UnsupportedAvailabilityZone")
_READS = re.compile(r"\w+:(Describe|List|Get|Simulate)")
_UNDER_WAY = re.compile(r"\b(CREATING|UPDATING|DELETING|PENDING)\b|in progress|under way", re.IGNORECASE)
_THERE_ALREADY = re.compile(r"already exists", re.IGNORECASE)
_LONGEST = 400
_FIRST_WORDS = 120
_SERVER_ERROR = 500
_FORBIDDEN, _CONFLICT, _INVALID, _TOO_MANY = 403, 409, 422, 429
_UNFIT_ANSWERS = frozenset({400, 405, 413, 415, 422})


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
    changes = not _READS.match(action)
    return (changes and _refused_change(code, said, action)) or EksNetpolError(f"{action} was rejected: {said}")


def _refused_change(code: str, said: str, action: str) -> EksNetpolError | None:
    """Return what AWS understood and did not do, as one of ours; None for what only went wrong.

    ``InvalidRequestException`` is "invalid given the state of the cluster" (botocore's ``eks`` model): where it names a state
    that passes it is taken for that, which is not verified for every operation; else nothing passes by waiting.
    """
    if _IN_USE.search(code):
        if action == "eks:CreateAddon" and _THERE_ALREADY.search(said):
            return Exists(f"{action}: {said}")
        return Busy(f"{action}: something else is under way: {said}; wait until it has ended")
    if code.startswith("InvalidRequest") and _UNDER_WAY.search(said):
        return Busy(f"{action}: not in this state: {said}; wait until it has passed")
    if _UNFIT.search(code):
        return Rejected(f"{action} was rejected: {said}")
    return None


# --- the API server ---------------------------------------------------------------------------------------------------


class _Cause(msgspec.Struct):
    message: str = ""
    reason: str = ""
    field: str = ""


class _Details(msgspec.Struct):
    causes: tuple[_Cause, ...] = ()


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""
    details: _Details | None = None


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


_ADMISSION = re.compile(r"admission webhook|ValidatingAdmissionPolicy|denied (the )?request")
_RBAC = re.compile(r'[Uu]ser "[^"]*" (\(groups=.*\) )?(cannot \w+ |is attempting to grant)')
_MANAGER = re.compile(r'conflict with "([^"]*)"')
_NEVER_FITS = re.compile(r"failed to (create|convert) (typed|manager)|field not declared in schema|strict decoding error")
_PATCH_DID_NOT_FIT = "the server rejected our request due to an error in our request"
"""All that an API server says (1.36) of a JSON patch with a test that fails, or a place that is not there."""

_BEING_DELETED = "object is being deleted"

_BUDGET = "DisruptionBudget"
"""The cause that an API server names where a disruption budget does not allow an eviction now."""

_BUDGETS = "more than one PodDisruptionBudget"
"""What it says, with status 500, of a pod that two budgets select: it never evicts that one."""


def write_fault(status: int, body: bytes, asked: str, server: str) -> EksNetpolError:  # noqa: PLR0911 - one case an answer
    """Return an API server's refusal of a change as one of our errors; *asked* is e.g. ``patch daemonsets.apps``.

    `Conflict` has the fields that somebody else owns, or none where the object changed under us; `Exists`; `Busy` where one of
    that name is still being deleted or a disruption budget allows no eviction now; `Rejected` for schemas, validation and
    admission. RBAC's 403 is `Denied` and one of admission is not: its text names no user that *cannot*. All else is as for
    reading.
    """
    try:
        decoded = _STATUS.decode(body)
    except msgspec.MsgspecError:
        decoded = _Status(one_line(body[:_LONGEST].decode("utf-8", "replace")))
    said = one_line(decoded.message)
    causes = decoded.details.causes if decoded.details else ()
    budgets = [one_line(cause.message) for cause in causes if cause.reason == _BUDGET]
    if status == _TOO_MANY and budgets:
        return Busy(f"could not {asked}: {'; '.join(budgets)}")
    if _ADMISSION.search(decoded.message) and status < _SERVER_ERROR:
        return Rejected(f"{server}: admission refused to {asked}: {said}")
    if status == _FORBIDDEN and not _RBAC.search(decoded.message) and decoded.message:
        return Rejected(f"{server}: admission refused to {asked} (403: {said})")
    if status >= _SERVER_ERROR and (advice := unanswered(decoded.message)):
        return TransientError(f"{server} could not {asked} ({status}: {said}); {advice}")
    if status == _CONFLICT:
        return _conflict(decoded, causes, asked)
    if status == _INVALID and decoded.message.startswith(_PATCH_DID_NOT_FIT):
        return Conflict(f"could not {asked}: it is no longer as it was when this was decided, so the patch did not fit")
    if status in _UNFIT_ANSWERS or _NEVER_FITS.search(decoded.message) or _BUDGETS in decoded.message:
        return Rejected(f"{server} will not {asked} ({status}: {said})")
    return http_fault(status, body, asked, server)


def _conflict(status: _Status, causes: tuple[_Cause, ...], asked: str) -> EksNetpolError:
    said = one_line(status.message)
    if status.reason == "AlreadyExists":
        kind = Busy if _BEING_DELETED in status.message else Exists
        return kind(f"could not {asked}: {said}")
    fields = tuple((c.field, found[1]) for c in causes if (found := _MANAGER.search(c.message)))
    if not fields:
        return Conflict(f"could not {asked}: it changed meanwhile: {said}")
    owners = ", ".join(sorted({manager for _, manager in fields}))
    first, *others = (path for path, _ in fields)
    more = f" and {len(others)} more" if others else ""
    return Conflict(f"could not {asked}: {owners} owns fields with other values: {first}{more}", fields=fields)


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
