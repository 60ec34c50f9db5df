"""Lists of the API server, page by page, straight into typed values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.decoding import decoder
from eksnetpol.gateways.faults import unreadable
from eksnetpol.gateways.kubernetes_http import COMPRESSED, METADATA_ONLY, ApiServer, PageExpired, expired_twice
from eksnetpol.gateways.permits import RbacPermission

T = TypeVar("T")

_HEAD = 4096

PAGE = 500
"""Objects asked for at once: what kubectl asks for, and what API servers are tuned to."""

SLOW = 10_000_000
"""Bytes per second below which a list counts as coming slowly."""

arrivals: ContextVar[Callable[[int], None]] = ContextVar("arrivals", default=lambda _: None)
"""Who is told how many objects of the list being read have arrived so far; set per thread by whoever collects."""


class Resource(msgspec.Struct, frozen=True):
    """A kind the API server serves: where its lists are, and what reading them takes."""

    plural: str
    group: str = ""
    version: str = "v1"

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of all objects, of those of *namespace*, or of the one called *name*."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{within}/{self.plural}" + (f"/{name}" if name else "")

    @property
    def list(self) -> RbacPermission:
        """What listing all of them takes."""
        return RbacPermission("list", self.plural, self.group)

    def named(self, verb: str, *names: str) -> RbacPermission:
        """What *verb* takes on the objects called *names* alone."""
        return RbacPermission(verb, self.plural, self.group, names)


class ListMeta(msgspec.Struct, rename="camel"):
    """Where a page leaves off."""

    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _Page(msgspec.Struct, Generic[T]):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[T] | None = None


class _Head(msgspec.Struct):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)


class Named(msgspec.Struct):
    """An object of which only metadata is wanted."""

    class Meta(msgspec.Struct):
        """Its name."""

        name: str = ""
        namespace: str = ""

    metadata: Meta


def decode(body: bytes, kind: type[T], asked: str, server: str) -> T:
    """Return *body* as *kind*; raise `UnreadableInput` when it is none.

    Go writes an empty list without ``omitempty`` as null (the rules of a ClusterRole, the endpoints of an EndpointSlice):
    where the plain decoding fails, nulls are taken for absent members and it is tried once more.
    """
    wanted: Any = kind
    try:
        value: T = decoder(wanted).decode(body)
    except msgspec.ValidationError:
        try:
            again = msgspec.json.encode(_without_nulls(msgspec.json.decode(body)))
            value = decoder(wanted).decode(again)
        except msgspec.MsgspecError as error:
            raise unreadable(error, asked, server) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise unreadable(error, asked, server) from error
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(member) for member in value]
    return value


def list_all(
    api: ApiServer,
    resource: Resource,
    kind: type[T],
    *,
    reduce: Callable[[T], Any] | None = None,
    namespace: str = "",
    needs: RbacPermission | None = None,
    query: Mapping[str, str] | None = None,
) -> tuple[Any, ...]:
    """Return all objects of *resource* as *kind*, each passed through *reduce*.

    A page that has expired makes the list start again from its beginning, once: going on with the token that the API server
    offers then would give a list that never was. The second time it raises `TransientError`.
    """
    asked = needs or resource.list
    for last in (False, True):
        try:
            return _once(api, _Pages(api, resource.path(namespace), asked, query or {}), kind, reduce)
        except PageExpired as error:
            if last:
                raise expired_twice(error) from error
    raise AssertionError


def _once(api: ApiServer, pages: _Pages, kind: type[T], reduce: Callable[[T], Any] | None) -> tuple[Any, ...]:
    tell = arrivals.get()
    found: list[Any] = []
    with collector_paused():
        for body in pages:
            page = decode(body, _Page[kind], str(pages.asked), api.server)  # type: ignore[valid-type]
            items = page.items or []
            found += map(reduce, items) if reduce else items
            tell(len(found))
    return tuple(found)


@dataclass(slots=True)
class _Pages:
    """The pages of a list, as bytes. While one is being decoded the next is already under way.

    Once a page has come slowly the rest are asked for compressed: over a thin line that is ten times faster, while to a server
    nearby it would only be work.
    """

    api: ApiServer
    path: str
    asked: RbacPermission
    query: Mapping[str, str]
    slow: bool = False

    def __iter__(self) -> Iterator[bytes]:
        body = self._get("")
        with ThreadPoolExecutor(1, thread_name_prefix="next-page") as ahead:
            while token := _continue(body, str(self.asked), self.api.server):
                following = ahead.submit(self._get, token)
                yield body
                body = following.result()
        yield body

    def _get(self, token: str) -> bytes:
        following = {"continue": token} if token else {}
        begin = time.monotonic()
        query = {"limit": str(PAGE), **self.query, **following}
        body = self.api.get(self.path, self.asked, query, COMPRESSED if self.slow else {})
        self.slow = self.slow or len(body) < SLOW * (time.monotonic() - begin)
        return body


def _continue(body: bytes, asked: str, server: str) -> str:
    """Return where the next page starts, from the beginning of *body* if that is where it stands, as it does."""
    cut = body.find(b',"items":', 0, _HEAD)
    if cut > 0:
        try:
            return decoder(_Head).decode(body[:cut] + b"}").metadata.continue_  # type: ignore[no-any-return]
        except msgspec.MsgspecError:
            pass
    return decode(body, _Head, asked, server).metadata.continue_


def count_all(api: ApiServer, resource: Resource, examples: int) -> tuple[int, tuple[str, ...]]:
    """Return how many objects of *resource* there are, and the first few as ``namespace/name``, from one small answer."""
    body = api.get(resource.path(), resource.list, {"limit": str(examples)}, METADATA_ONLY)
    page = decode(body, _Page[Named], str(resource.list), api.server)
    items = page.items or []
    names = tuple("/".join(p for p in (i.metadata.namespace, i.metadata.name) if p) for i in items)
    if page.metadata.continue_ and page.metadata.remaining_item_count is None:
        return len(list_all(api, resource, Named)), names
    return len(items) + (page.metadata.remaining_item_count or 0), names
