"""What a person may say of a migration."""

from __future__ import annotations

import math
import re
from enum import StrEnum

import msgspec

from eksnetpol.errors import UsageError
from eksnetpol.model.actions import Resolve

_BATCH = re.compile(r"(?P<number>[1-9]\d{0,5})(?P<share>%?)")
_WHOLE = 100


class Exit(StrEnum):
    """How a node leaves the old engine: *in place* its rules are taken out of the kernel that runs on, or the node goes."""

    IN_PLACE = "in-place"
    REPLACEMENT = "replacement"


class LeftOver(StrEnum):
    """Classes of objects that outlive an uninstall, and that go only where somebody says so."""

    ADMISSION = "admission"
    POLICIES = "policies"
    DEFINITIONS = "definitions"
    NAMESPACES = "namespaces"


class MigrateOptions(msgspec.Struct, frozen=True):
    """``batch`` is a number of nodes or a share of them (``5%``), ``canary`` how many go first, alone.

    ``soak`` is how many seconds are waited after each batch, ``settle`` before the old engine is uninstalled. ``exit`` None
    leaves the choice to what the engine allows. ``cleaner_image`` runs the cleaner on nodes left in place. ``bare`` are pods
    (``namespace/name``) that nothing brings back and that may go with their nodes. ``replacements`` is how many new nodes there
    will be in the end, 0 for one for each old one. ``nodes`` are labels (``key=value,…``): only nodes with them are left, and
    then nothing is uninstalled. ``left_overs`` go at the end. ``probe_image`` runs the probes, without which gates look at
    objects alone; ``probes`` is how many connections are tried at most, ``abort_after`` how many that are allowed may fail at a
    gate. ``resolve`` and ``values``: see `planning.options.EnableOptions`.
    """

    batch: str = "5%"
    canary: int = 1
    soak: float = 60.0
    settle: float = 600.0
    exit: Exit | None = None
    cleaner_image: str = ""
    bare: tuple[str, ...] = ()
    replacements: int = 0
    nodes: str = ""
    left_overs: tuple[LeftOver, ...] = ()
    probe_image: str = ""
    probes: int = 40
    abort_after: int = 0
    resolve: Resolve | None = None
    values: dict[str, str] = msgspec.field(default_factory=dict)

    def sizes(self, nodes: int) -> tuple[int, ...]:
        """Return how many of *nodes* each batch has, in order; raise `UsageError` for a batch that means nothing."""
        read = _BATCH.fullmatch(self.batch.strip())
        if read is None or (read["share"] and int(read["number"]) > _WHOLE):
            raise UsageError(f"--batch {self.batch!r}: write a number of nodes, or a share of them such as 5%")
        if self.canary < 0:
            raise UsageError(f"--canary {self.canary}: write how many nodes go first, 0 for none")
        number = int(read["number"])
        size = max(1, math.ceil(nodes * number / _WHOLE)) if read["share"] else number
        first = min(self.canary, nodes)
        rest = nodes - first
        sizes = [first] if first else []
        sizes += [size] * (rest // size)
        if rest % size:
            sizes.append(rest % size)
        return tuple(sizes)

    @property
    def wanted_labels(self) -> dict[str, str]:
        """The labels of ``nodes``; raises `UsageError` where it is no list of ``key=value``."""
        if not self.nodes:
            return {}
        pairs = [part.partition("=") for part in self.nodes.split(",")]
        if any(not key or not equals for key, equals, _ in pairs):
            raise UsageError(f"--nodes {self.nodes!r}: write labels as key=value, several with commas in between")
        return {key.strip(): value.strip() for key, _, value in pairs}
