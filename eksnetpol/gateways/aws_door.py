"""The door to AWS: calls an operation, follows its pages, and translates what goes wrong.

botocore retries by itself (standard mode); a second layer on top would multiply the waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from eksnetpol.errors import EksNetpolError, Unauthenticated
from eksnetpol.gateways import decoding
from eksnetpol.gateways.faults import aws_fault, unreadable
from eksnetpol.gateways.pace import TokenBucket
from eksnetpol.gateways.permits import iam_is_declared

T = TypeVar("T")
R = TypeVar("R")

_SIDE_BY_SIDE = 4


@dataclass(slots=True)
class AwsDoor:
    """Clients of one account and region, made when they are first needed. ``make`` takes a service's name.

    ``renew`` is asked when AWS refuses the credentials: it returns another ``make``, with those that a person has signed in for
    meanwhile, or None where there are no others. ``run`` is the id of the run that calls are part of, for CloudTrail.
    """

    make: Callable[[str], Any]
    pace: TokenBucket = field(default_factory=lambda: TokenBucket(rate=10, burst=20))
    renew: Callable[[], Callable[[str], Any] | None] = lambda: None
    run: str = ""
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer of *operation*, named as in the API (``DescribeAddon``)."""
        try:
            return self._call(service, operation, arguments)
        except Unauthenticated:
            if not self._renewed():
                raise
        return self._call(service, operation, arguments)

    def _call(self, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        action = f"{service}:{operation}"
        with translated(action):
            iam_is_declared(action)
            method = self._method(service, operation)
            self.pace.take()
            answer: dict[str, Any] = method(**arguments)
        return answer

    def pages(self, service: str, operation: str, member: str, **arguments: Any) -> Iterator[Any]:
        """Yield the entries of *member* on every page of *operation*."""
        action = f"{service}:{operation}"
        with translated(action):
            client = self._client(service)
            iam_is_declared(action)
            pages = iter(client.get_paginator(_snake(client, operation)).paginate(**arguments))
        while True:
            with translated(action):
                self.pace.take()
                page = next(pages, None)
            if page is None:
                return
            yield from page.get(member, ())

    def each(self, question: Callable[[T], R], names: Iterable[T]) -> tuple[R, ...]:
        """Return the answers to *question* about each of *names*, in their order, asking a few at a time."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            return tuple(pool.map(question, names))

    def _renewed(self) -> bool:
        """Go on with other credentials, and return whether there are any."""
        with self._lock:
            make = self.renew()
            if make is None:
                return False
            self.make = make
            self._clients.clear()
            return True

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                client = self.make(service)
                client.meta.events.register_last("before-send", self._name_the_run)
                self._clients[service] = client
            return self._clients[service]

    def _name_the_run(self, request: Any, **_: Any) -> None:
        # No earlier: botocore words the user agent anew for each attempt. It is no part of the signature.
        if self.run:
            agent = request.headers.get("User-Agent", b"")
            request.headers["User-Agent"] = (agent.encode() if isinstance(agent, str) else agent) + f" run/{self.run}".encode()

    def _method(self, service: str, operation: str) -> Callable[..., dict[str, Any]]:
        client = self._client(service)
        method: Callable[..., dict[str, Any]] = getattr(client, _snake(client, operation))
        return method


class translated:  # noqa: N801 - reads as a word: with translated("eks:DescribeAddon")
    """Turns whatever botocore raises within into one of our errors."""

    def __init__(self, action: str) -> None:
        self.action = action

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Translate."""
        if error is None or isinstance(error, EksNetpolError):
            return
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        if isinstance(error, (BotoCoreError, ClientError, ResponseParserError)):
            raise aws_fault(error, self.action) from error


def convert(answer: object, kind: type[T], action: str) -> T:
    """Return a part of an answer as *kind*; raise `UnreadableInput` when it is none. Members nobody reads are dropped."""
    try:
        return decoding.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise unreadable(error, action, "AWS") from error


def _snake(client: Any, operation: str) -> str:
    names = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    return str(names[operation])
