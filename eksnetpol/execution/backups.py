"""Back-ups of a run: objects whole, each with a digest, in one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec

from eksnetpol.errors import UnreadableInput
from eksnetpol.model.fingerprints import digest_of
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import FORMAT

KIND = "BackUp"
_OWN_FINALIZERS = "networking.k8s.aws/"
"""The policy controller's; it sets them anew where it is switched on, and where it is not nobody would take them off."""

_SERVERS = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink", "deletionTimestamp",
            "deletionGracePeriodSeconds")  # fmt: skip
"""What the API server writes into metadata, and takes from nobody."""


class Kept(msgspec.Struct, frozen=True):
    """An object as it was, and what its content is known by."""

    object: Json
    digest: str


class BackUpFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The document. ``gone`` are objects that were to be kept and were not there any more."""

    run: str
    at: datetime
    objects: tuple[Kept, ...] = ()
    gone: tuple[ObjectRef, ...] = ()
    api_version: str = FORMAT
    kind: str = KIND

    @property
    def by_ref(self) -> dict[ObjectRef, Json]:
        """The kept objects by what they are called, in that order."""
        return dict(sorted(((ObjectRef.of(one.object), one.object) for one in self.objects), key=itemgetter(0)))

    @property
    def refs(self) -> frozenset[ObjectRef]:
        """What the kept objects are called."""
        return frozenset(self.by_ref)


def written(run: str, at: datetime, objects: Iterable[Json], gone: Iterable[ObjectRef]) -> bytes:
    """Return the document for *objects*, which are the API's own JSON with their kinds."""
    kept = sorted((Kept(found, digest_of(found)) for found in objects), key=lambda one: ObjectRef.of(one.object))
    return msgspec.json.format(msgspec.json.encode(BackUpFile(run, at, tuple(kept), tuple(sorted(gone)))), indent=1) + b"\n"


def read(data: bytes, place: str) -> BackUpFile:
    """Return what *data* holds; raise `UnreadableInput` where it is no back-up or an object in it was changed."""
    try:
        file = msgspec.json.decode(data, type=BackUpFile)
    except msgspec.MsgspecError as error:
        raise UnreadableInput(place, f"this is no back-up that eksnetpol wrote: {error}") from error
    if file.api_version != FORMAT or file.kind != KIND:
        raise UnreadableInput(place, f"expected a {KIND} of {FORMAT}, found {file.kind} of {file.api_version}")
    for kept in file.objects:
        if digest_of(kept.object) != kept.digest:
            name = (kept.object.get("metadata") or {}).get("name", "?")
            kind = kept.object.get("kind", "an object")
            raise UnreadableInput(place, f"{kind} {name} is not what was kept: its digest differs")
    return file


def afresh(found: Json) -> Json:
    """Return *found* as it can be created again: without what the API server and the policy controller write into it."""
    meta: Mapping[str, Any] = found.get("metadata") or {}
    kept = {key: value for key, value in meta.items() if key not in _SERVERS}
    finalizers = [one for one in kept.pop("finalizers", None) or () if not one.startswith(_OWN_FINALIZERS)]
    if finalizers:
        kept["finalizers"] = finalizers
    return {**{key: value for key, value in found.items() if key not in {"metadata", "status"}}, "metadata": kept}
