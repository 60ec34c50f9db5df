"""Looking at the objects of an API server in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.fields.structure import Layout, layout_of
from eksnetpol.fields.values import copied
from eksnetpol.model.kinds import Json, Kind, ObjectRef
from eksnetpol.simulation.selectors import selecting
from eksnetpol.simulation.served import DEFINITIONS, definition_of, is_custom
from eksnetpol.simulation.store import Family, Name, Store, family_of


class Readable:
    """Objects, and which kinds there are. *serving* are custom kinds that are there although their definition is not known."""

    def __init__(self, *, serving: Iterable[Kind] = ()) -> None:
        self._serving: frozenset[Family] = frozenset((kind.api_version, kind.name) for kind in serving)
        self._store = Store()
        self._definitions: dict[Family, Json | None] = {}
        self._layouts: dict[Family, Layout] = {}

    @property
    def version(self) -> str:
        """The resourceVersion of the last change."""
        return str(self._store.version)

    def load(self, objects: Iterable[Json]) -> None:
        """Take objects as they were found, with all that an API server keeps about them. They must not be changed afterwards."""
        self._store.load(objects)
        self._forget_definitions()

    def serves(self, kind: Kind) -> bool:
        """Say whether there is such a kind."""
        return self._serves((kind.api_version, kind.name))

    def peek(self, ref: ObjectRef) -> Json | None:
        """Return an object as it is kept, shared: for who only reads."""
        return self._store.get(ref) if self._serves(family_of(ref)) else None

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none or its kind is not served."""
        found: Json | None = copied(self.peek(ref))
        return found

    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind, by namespace and name; none where the kind is not served. They are shared."""
        family = (kind.api_version, kind.name)
        if not self._serves(family):
            return ()
        found = self._store.family(family)
        names: Iterable[Name] = (name for name in found if name[0] == namespace) if namespace else found
        if selector:
            wanted = selecting(selector)
            names = (name for name in names if wanted(found[name]["metadata"].get("labels") or {}))
        return tuple(found[name] for name in sorted(names))

    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:  # noqa: ARG002 - time is not ours
        """Yield what became of an object after the resourceVersion *since*, None when it went; without it what is there first.

        Nothing is waited for: it ends with what has happened so far. Time passes in `simulation.world`.
        """
        if not since:
            found = self.peek(ref)
            if found is not None:
                yield found
        after = int(since) if since.isdecimal() else self._store.version
        for change in self._store.since(ref, after):
            yield change.after

    def _serves(self, family: Family) -> bool:
        return not is_custom(family[0]) or family in self._serving or self._definition(family) is not None

    def _definition(self, family: Family) -> Json | None:
        if family not in self._definitions:
            found = definition_of(family, self._store.family(DEFINITIONS)) if is_custom(family[0]) else None
            self._definitions[family] = found
        return self._definitions[family]

    def _layout(self, obj: Json) -> Layout:
        family = (obj["apiVersion"], obj["kind"])
        if family not in self._layouts:
            self._layouts[family] = layout_of(obj, self._definition(family))
        return self._layouts[family]

    def _forget_definitions(self) -> None:
        self._definitions.clear()
        self._layouts.clear()
