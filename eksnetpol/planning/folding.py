"""Settings that somebody made on the live objects, moved into the add-on's configuration before EKS overwrites them there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.ownership import CustomField, Ownership
from eksnetpol.model.snapshot import Seen, Unread
from eksnetpol.planning import live
from eksnetpol.planning.merge import has_key


@dataclass(frozen=True, slots=True)
class Folding:
    """``values`` are settings by their path in the configuration; ``lost`` has no key there and goes back to its default.

    ``unread`` says why it is not known what others set.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def words(self) -> Iterator[str]:
        """Yield what to be warned of."""
        if self.values:
            moved = ", ".join(f"{path} = {value}" for path, value in self.values.items())
            yield f"settings that were made on the live objects move into the add-on's configuration: {moved}"
        if self.lost:
            yield f"EKS may put these back to its defaults, for its configuration has no key for them: {', '.join(self.lost)}"
        for why in self.unread:
            yield f"what OVERWRITE takes away is not known: {why}"


def fold(facts: Lookup, schema: Mapping[str, Any], *, but: Collection[str] = ()) -> Folding:
    """Return the custom settings of the live objects as configuration, as far as *schema* has keys for them.

    Those in *but* are set anyway.
    """
    found = facts.get("ownership")
    if isinstance(found, Unread):
        return Folding(unread=(found.reason,))
    ownership: Ownership = found.value
    custom, unread = list(ownership.aws_node), tuple[str, ...]()
    if isinstance(ownership.configmap, Unread):
        unread = (ownership.configmap.reason,)
    else:
        custom += _with_values(facts, ownership.configmap)
    values: dict[str, str] = {}
    lost: list[str] = []
    for setting in custom:
        if setting.path in but:
            continue
        if setting.path and setting.value is not None and has_key(schema, setting.path):
            values[setting.path] = setting.value
        else:
            lost.append(str(setting))
    return Folding(values, tuple(lost), unread)


def _with_values(facts: Lookup, custom: Collection[CustomField]) -> Iterator[CustomField]:
    config = live.configmap(facts) if isinstance(facts.get("configmaps"), Seen) else None
    data = {} if config is None else config.data
    for setting in custom:
        yield CustomField(setting.name, setting.managers, setting.path, data.get(setting.name))
