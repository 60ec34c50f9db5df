"""The door to one API server: asks, waits its turn, tries again where that helps, and translates what goes wrong.

Answers are the body's bytes, undecoded: turning a list into the official client's objects takes seventy times as long as
decoding it into ours.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from eksnetpol.errors import Busy, EksNetpolError, Rejected, TransientError
from eksnetpol.gateways.faults import http_fault, transport_fault, write_fault
from eksnetpol.gateways.pace import TokenBucket
from eksnetpol.gateways.permits import RbacPermission, rbac_is_declared

JSON = "application/json"
METADATA_ONLY: Mapping[str, str] = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
COMPRESSED: Mapping[str, str] = {"Accept-Encoding": "gzip"}
_NO_HEADERS: Mapping[str, str] = {}

ATTEMPTS = 4
LONGEST_WAIT = 20.0
"""Seconds that are waited at most between two attempts, whatever Retry-After says."""

_OK = range(200, 300)
_EXPIRED_CREDENTIALS = 401
_GONE = 410
_AGAIN = frozenset({429, 500, 502, 503, 504})
_TOO_MANY = 429


class Credentials:
    """Who we are to the API server. The base class is for client certificates, which go with the connection."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that prove it."""
        return {}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get new ones because the API server did not take *refused*; return False where there are no others."""
        del refused
        return False


class PageExpired(EksNetpolError):
    """A list changed so much that the rest of its pages is gone (410)."""


class _Answer(EksNetpolError):
    """An answer worth another attempt. ``may_have_acted`` is False where the other side is known to have done nothing."""

    def __init__(self, fault: EksNetpolError, wait: float | None, *, may_have_acted: bool = True) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.wait = wait
        self.may_have_acted = may_have_acted


@dataclass(slots=True)
class Doubt:
    """Whether an attempt at a change may have been carried out though no answer came that says so."""

    unsure: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    """A request. ``change`` says that it changes something; then ``repeatable`` that doing it twice does no harm."""

    method: str
    url: str
    needs: RbacPermission
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    change: bool = False
    repeatable: bool = True
    doubt: Doubt = field(default_factory=Doubt)

    def fault(self, status: int, said: bytes, server: str) -> EksNetpolError:
        return (write_fault if self.change else http_fault)(status, said, str(self.needs), server)


@dataclass(slots=True)
class ApiServer:
    """One API server. ``pool`` is a urllib3 PoolManager that knows the certificates; ``extra`` are headers of each request.

    ``run`` is the id of the run that requests are part of; the server's audit log then tells it by the user agent.
    """

    server: str
    pool: Any
    credentials: Credentials
    extra: tuple[tuple[str, str], ...] = ()
    timeout: float = 60.0
    pace: TokenBucket = field(default_factory=lambda: TokenBucket(rate=50, burst=300))
    sleep: Callable[[float], None] = time.sleep
    run: str = ""

    def get(
        self,
        path: str,
        needs: RbacPermission,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> bytes:
        """Return the body of what is at *path*. *needs* is the permission this takes; errors name it."""
        return self._ask(_Request("GET", self._url(path, query), needs, headers))

    def post(self, path: str, needs: RbacPermission, body: object) -> bytes:
        """Send *body* as JSON to *path*, for reviews, which answer and keep nothing."""
        encoded = msgspec.json.encode(body)
        return self._ask(_Request("POST", self._url(path), needs, {"Content-Type": JSON}, encoded))

    def change(
        self,
        method: str,
        path: str,
        needs: RbacPermission,
        *,
        body: object = None,
        content: str = JSON,
        query: Mapping[str, str] | None = None,
        repeatable: bool = True,
        doubt: Doubt | None = None,
    ) -> bytes:
        """Change what is at *path* and return the answer. *repeatable* says that twice is as good as once.

        A change that is not repeatable is tried again only where the server said that it did nothing. *doubt* learns whether a
        former attempt, or the one that raised, may have been carried out. Raises what `faults.write_fault` gives.
        """
        headers, encoded = ({}, None) if body is None else ({"Content-Type": content}, msgspec.json.encode(body))
        request = _Request(
            method, self._url(path, query), needs, headers, encoded, change=True, repeatable=repeatable, doubt=doubt or Doubt()
        )
        return self._ask(request)

    def stream(self, path: str, needs: RbacPermission, query: Mapping[str, str]) -> Any:
        """Return a urllib3 response whose body has not been read, for watches; whoever asks closes it.

        Raises `PageExpired` where what is to be watched from is too old.
        """
        request = _Request("GET", self._url(path, query), needs)
        return self._tried(request, lambda response: response)

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return f"{self.server}{path}?{urlencode(query)}" if query else f"{self.server}{path}"

    def _ask(self, request: _Request) -> bytes:
        from eksnetpol.gateways.http_body import read_body

        answer: bytes = self._tried(request, read_body)
        return answer

    def _tried(self, request: _Request, read: Callable[[Any], Any]) -> Any:
        import tenacity

        rbac_is_declared(request.needs)
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, _Answer) and (request.repeatable or not e.may_have_acted)),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return attempts(self._attempt, request, read)
        except _Answer as again:
            raise again.fault from again

    def _attempt(self, request: _Request, read: Callable[[Any], Any]) -> Any:
        proof = self.credentials.headers()
        status, said, retry_after = self._send(request, proof, read)
        if status == _EXPIRED_CREDENTIALS and self.credentials.renew(proof):
            status, said, retry_after = self._send(request, self.credentials.headers(), read)
        if status in _OK:
            return said
        fault = request.fault(status, said, self.server)
        if status == _GONE:
            raise PageExpired(str(fault))
        if status in _AGAIN and not isinstance(fault, Rejected | Busy):
            acted = status != _TOO_MANY
            request.doubt.unsure |= acted
            raise _Answer(fault, _retry_after(retry_after), may_have_acted=acted)
        raise fault

    def _send(self, request: _Request, proof: Mapping[str, str], read: Callable[[Any], Any]) -> tuple[int, Any, str | None]:
        """Return status, body and Retry-After of one answer; *read* reads the body of one that is a success."""
        import urllib3

        from eksnetpol.gateways.http_body import read_body

        headers = {"Accept": JSON, "User-Agent": user_agent(self.run), **request.headers, **proof}
        sent = urllib3.HTTPHeaderDict(headers)
        for name, value in self.extra:
            sent.add(name, value)
        timeout = urllib3.Timeout(connect=min(10.0, self.timeout), read=self.timeout)
        how = {"timeout": timeout, "retries": False, "redirect": False, "preload_content": False}
        self.pace.take()
        try:
            response = self.pool.request(request.method, request.url, body=request.body, headers=sent, **how)
            taken = read if response.status in _OK else read_body
            return response.status, taken(response), response.headers.get("Retry-After")
        except (urllib3.exceptions.ProtocolError, ConnectionError) as error:
            # An idle connection that the other side has closed meanwhile: a new one will do.
            request.doubt.unsure = True
            raise _Answer(transport_fault(error, str(request.needs), self.server), None) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            never_left = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
            request.doubt.unsure |= not isinstance(error, never_left)
            raise transport_fault(error, str(request.needs), self.server) from error


def _retry_after(text: str | None) -> float | None:
    """Return the seconds a Retry-After header asks for; None where there is none in seconds."""
    return float(text) if text and text.isascii() and text.isdigit() else None


def _wait(state: Any) -> float:
    """Wait as long as was asked for, else twice as long each time with some chance, so that callers spread."""
    asked: float | None = state.outcome.exception().wait
    chance = 0.5 + random.random()  # noqa: S311 - only spreads callers in time
    return min(LONGEST_WAIT, asked if asked is not None else 0.2 * 2**state.attempt_number * chance)


def user_agent(run: str = "") -> str:
    """Return how we call ourselves; with the id of a *run*, so that logs over there lead back to it."""
    from eksnetpol import __version__

    return f"eksnetpol/{__version__} run/{run}" if run else f"eksnetpol/{__version__}"


def expired_twice(error: PageExpired) -> TransientError:
    """Return the error for a list whose pages expired again after a fresh start."""
    return TransientError(str(error))
