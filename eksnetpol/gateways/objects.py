"""What is done to objects of an API server: read whole, made, applied, patched, replaced and deleted.

A change is tried again only where a repeat does no harm: an apply says the same twice, a patch has tests, a replacement its
resourceVersion, a deletion its uid. A repeated creation meets what the first one made, if that was carried out though its answer
got lost: it is recognised by being what was to be made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from eksnetpol.errors import Conflict, EksNetpolError, Exists, NotFound
from eksnetpol.fields.holds import differences
from eksnetpol.gateways import change_permits as permitted
from eksnetpol.gateways import migration_permits as migrating
from eksnetpol.gateways.kubernetes_http import ApiServer, Doubt
from eksnetpol.gateways.kubernetes_lists import Resource, decode, list_all
from eksnetpol.gateways.permits import MIGRATING, POLICY_CHANGING, RbacPermission, needs
from eksnetpol.interfaces.acting import MANAGER
from eksnetpol.model.kinds import Json, Kind, ObjectRef

APPLY = "application/apply-patch+yaml"
PATCH = "application/json-patch+json"

_ALL = {"dryRun": "All"}
_GIVEN_BY_SERVER = ("resourceVersion", "managedFields", "generation")
_OTHER_UID = re.compile(r"UID in (the )?precondition")


class ObjectCalls:
    """Changes of objects, each one call."""

    api: ApiServer

    @needs(*permitted.READ, commands=permitted.ACTING)
    @needs(*permitted.READ_POLICIES, commands=POLICY_CHANGING)
    @needs(*migrating.READ, commands=MIGRATING)
    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none or its kind is not served."""
        needed = _named("get", ref)
        try:
            return self._object(self.api.get(_path(ref), needed), needed)
        except NotFound:
            return None

    @needs(*permitted.LISTED, commands=permitted.ACTING)
    @needs(*migrating.LISTED, commands=MIGRATING)
    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind; none where the kind is not served."""
        query = {"labelSelector": selector} if selector else {}
        try:
            found = list_all(self.api, _resource(kind), dict, namespace=namespace, query=query)
        except NotFound:
            return ()
        # A list says once what its entries are.
        return tuple({"apiVersion": kind.api_version, "kind": kind.name, **one} for one in found)

    @needs(*permitted.CREATED, commands=permitted.ACTING)
    @needs(*permitted.CREATED_POLICIES, commands=POLICY_CHANGING)
    @needs(*migrating.CREATED, commands=MIGRATING)
    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        """Create an object; raise `errors.Exists` where there is one of that name."""
        ref = ObjectRef.of(obj)
        needed = _unnamed("create", ref)
        doubt = Doubt()
        path = _resource(ref.of_kind).path(ref.namespace)
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", **_dry(dry_run)}
        try:
            return self._object(self.api.change("POST", path, needed, body=obj, query=query, doubt=doubt), needed)
        except Exists:
            made = self._made_before(ref, obj) if doubt.unsure else None
            if made is None:
                raise
            return made

    @needs(*permitted.APPLIED, commands=permitted.ACTING)
    @needs(*migrating.APPLIED, commands=MIGRATING)
    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply server-side as `MANAGER`; raise `errors.Conflict` with its fields where others own them and not *force*."""
        ref = ObjectRef.of(obj)
        needed = _named("patch", ref)
        query = {"fieldManager": MANAGER, "force": str(force).lower(), "fieldValidation": "Strict", **_dry(dry_run)}
        return self._object(self.api.change("PATCH", _path(ref), needed, body=obj, content=APPLY, query=query), needed)

    @needs(*permitted.PATCHED_POLICIES, commands=POLICY_CHANGING)
    @needs(*migrating.PATCHED, commands=MIGRATING)
    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False) -> Json:
        """Do a JSON patch (RFC 6902); raise `errors.Conflict` where one of its tests fails, `errors.NotFound` without object.

        Without a test among *operations* it is not tried again after an answer that was lost.
        """
        needed = _named("patch", ref)
        doubt = Doubt()
        query = {"fieldManager": MANAGER, **_dry(dry_run)}
        tested = any(one.get("op") == "test" for one in operations)
        try:
            answer = self.api.change(
                "PATCH", _path(ref), needed, body=operations, content=PATCH, query=query, repeatable=tested, doubt=doubt
            )
        except Conflict as error:
            raise _perhaps_ours(error, doubt) from error
        return self._object(answer, needed)

    @needs(*permitted.REPLACED, commands=permitted.ACTING)
    def replace(self, obj: Json) -> Json:
        """Put *obj* in the place of the one with the same resourceVersion; raise `errors.Conflict` where that has changed."""
        ref = ObjectRef.of(obj)
        needed = _named("update", ref)
        doubt = Doubt()
        try:
            answer = self.api.change("PUT", _path(ref), needed, body=obj, query={"fieldManager": MANAGER}, doubt=doubt)
        except Conflict:
            made = self._made_before(ref, obj) if doubt.unsure else None
            if made is None:
                raise
            return made
        return self._object(answer, needed)

    @needs(*permitted.DELETED_POLICIES, commands=POLICY_CHANGING)
    @needs(*migrating.DELETED, commands=MIGRATING)
    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object, only the one with *uid* where it is given. One that is not there, or another by then, is no error.

        Without *uid* it is not tried again after an answer that was lost: that might delete what was made since.
        """
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        options |= {"dryRun": ["All"]} if dry_run else {}
        try:
            self.api.change("DELETE", _path(ref), _named("delete", ref), body=options, repeatable=bool(uid))
        except NotFound:
            return
        except Conflict as error:
            if not uid or not _OTHER_UID.search(str(error)):
                raise

    def _made_before(self, ref: ObjectRef, wanted: Json) -> Json | None:
        """Return what is there if it is what an attempt of ours, whose answer got lost, was to make."""
        meta = {key: value for key, value in wanted["metadata"].items() if key not in _GIVEN_BY_SERVER}
        try:
            live = self.get(ref)
        except EksNetpolError:
            return None
        if live is None or live["metadata"].get("deletionTimestamp") or not _written_by_us(live):
            return None
        return None if differences(live, {**wanted, "metadata": meta}) else live

    def _object(self, body: bytes, needed: RbacPermission) -> Json:
        found: Json = decode(body, dict, str(needed), self.api.server)
        return found


def _written_by_us(live: Json) -> bool:
    return any(entry.get("manager") == MANAGER for entry in live["metadata"].get("managedFields") or ())


def _perhaps_ours(error: Conflict, doubt: Doubt) -> Conflict:
    if not doubt.unsure:
        return error
    return Conflict(f"{error}; the answer to a first attempt was lost, so it may have been ours that changed it")


def _dry(dry_run: bool) -> Mapping[str, str]:
    return _ALL if dry_run else {}


def _resource(kind: Kind) -> Resource:
    return Resource(kind.plural, kind.group, kind.version)


def _path(ref: ObjectRef) -> str:
    return _resource(ref.of_kind).path(ref.namespace, ref.name)


def _named(verb: str, ref: ObjectRef) -> RbacPermission:
    kind = ref.of_kind
    return RbacPermission(verb, kind.plural, kind.group, (ref.name,), namespace=ref.namespace)


def _unnamed(verb: str, ref: ObjectRef) -> RbacPermission:
    kind = ref.of_kind
    return RbacPermission(verb, kind.plural, kind.group, namespace=ref.namespace)
