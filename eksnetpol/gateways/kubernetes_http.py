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

from eksnetpol.errors import EksNetpolError, TransientError
from eksnetpol.gateways.faults import http_fault, transport_fault
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
    """An answer worth another attempt."""

    def __init__(self, fault: EksNetpolError, wait: float | None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.wait = wait


@dataclass(slots=True)
class ApiServer:
    """One API server. ``pool`` is a urllib3 PoolManager that knows the certificates; ``extra`` are headers of each request."""

    server: str
    pool: Any
    credentials: Credentials
    extra: tuple[tuple[str, str], ...] = ()
    timeout: float = 60.0
    pace: TokenBucket = field(default_factory=lambda: TokenBucket(rate=50, burst=300))
    sleep: Callable[[float], None] = time.sleep

    def get(
        self,
        path: str,
        needs: RbacPermission,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> bytes:
        """Return the body of what is at *path*. *needs* is the permission this takes; errors name it."""
        return self._request("GET", path, needs, query, headers, None)

    def post(self, path: str, needs: RbacPermission, body: object) -> bytes:
        """Send *body* as JSON to *path*, for reviews, which answer and keep nothing."""
        return self._request("POST", path, needs, None, {"Content-Type": JSON}, msgspec.json.encode(body))

    def _request(
        self,
        method: str,
        path: str,
        needs: RbacPermission,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> bytes:
        import tenacity

        rbac_is_declared(needs)
        url = f"{self.server}{path}?{urlencode(query)}" if query else f"{self.server}{path}"
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(_Answer),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            answer: bytes = attempts(self._attempt, method, url, needs, headers, body)
        except _Answer as again:
            raise again.fault from again
        return answer

    def _attempt(self, method: str, url: str, needs: RbacPermission, headers: Mapping[str, str], body: bytes | None) -> bytes:
        proof = self.credentials.headers()
        status, said, retry_after = self._send(method, url, needs, {**headers, **proof}, body)
        if status == _EXPIRED_CREDENTIALS and self.credentials.renew(proof):
            status, said, retry_after = self._send(method, url, needs, {**headers, **self.credentials.headers()}, body)
        if status in _OK:
            return said
        fault = http_fault(status, said, str(needs), self.server)
        if status == _GONE:
            raise PageExpired(str(fault))
        if status in _AGAIN:
            raise _Answer(fault, _retry_after(retry_after))
        raise fault

    def _send(
        self, method: str, url: str, needs: RbacPermission, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes, str | None]:
        """Return status, body and Retry-After of one answer."""
        import urllib3

        from eksnetpol.gateways.http_body import read_body

        sent = urllib3.HTTPHeaderDict({"Accept": JSON, "User-Agent": _user_agent(), **headers})
        for name, value in self.extra:
            sent.add(name, value)
        timeout = urllib3.Timeout(connect=min(10.0, self.timeout), read=self.timeout)
        how = {"timeout": timeout, "retries": False, "redirect": False, "preload_content": False}
        self.pace.take()
        try:
            response = self.pool.request(method, url, body=body, headers=sent, **how)
            return response.status, read_body(response), response.headers.get("Retry-After")
        except (urllib3.exceptions.ProtocolError, ConnectionError) as error:
            # An idle connection that the other side has closed meanwhile: a new one will do.
            raise _Answer(transport_fault(error, str(needs), self.server), None) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise transport_fault(error, str(needs), self.server) from error


def _retry_after(text: str | None) -> float | None:
    """Return the seconds a Retry-After header asks for; None where there is none in seconds."""
    return float(text) if text and text.isascii() and text.isdigit() else None


def _wait(state: Any) -> float:
    """Wait as long as was asked for, else twice as long each time with some chance, so that callers spread."""
    asked: float | None = state.outcome.exception().wait
    chance = 0.5 + random.random()  # noqa: S311 - only spreads callers in time
    return min(LONGEST_WAIT, asked if asked is not None else 0.2 * 2**state.attempt_number * chance)


def _user_agent() -> str:
    from eksnetpol import __version__

    return f"eksnetpol/{__version__}"


def expired_twice(error: PageExpired) -> TransientError:
    """Return the error for a list whose pages expired again after a fresh start."""
    return TransientError(str(error))
