"""What probes find in a cluster that is only rehearsed on: what flows at that moment, as `exposure.Exposure` has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eksnetpol.assets.probes import PROBES
from eksnetpol.migration.exposure import Exposure
from eksnetpol.migration.meanings import Terrain
from eksnetpol.migration.probing.results import Result
from eksnetpol.model.kinds import Json
from eksnetpol.policy.connections import TCP
from eksnetpol.policy.universe import indexes_of

Where = Callable[[str], tuple[str, Mapping[str, str], str] | None]
"""By an address: the namespace, the labels and the node of the pod that has it; None where it is no pod's."""

_Known = dict[tuple[str, frozenset[tuple[str, str]]], int]


class Answers:
    """Plays probes. To who is not drawn on the terrain nothing gets through."""

    def __init__(self, exposure: Exposure, where: Where) -> None:
        self._exposure = exposure
        self._where = where
        self._drawn: tuple[Terrain | None, _Known] = (None, {})

    def __call__(self, job: Json, node: str) -> str:
        """Return what the pod of a probe's Job leaves behind that ran on *node*; empty for another Job."""
        if PROBES not in (job["metadata"].get("labels") or {}):
            return ""
        template = job["spec"]["template"]
        source = self._class(job["metadata"]["namespace"], template["metadata"]["labels"])
        lines = (line.split() for line in template["spec"]["containers"][0]["args"])
        return "\n".join(f"{number}={self._result(source, node, at, int(port))}" for number, at, port, _ in lines)

    def _result(self, source: int | None, node: str, at: str, port: int) -> Result:
        if source is None:
            return Result.SILENT
        there = self._where(at)
        if there is None:
            flows = self._exposure.beyond(source, node, at)
        else:
            namespace, labels, its_node = there
            destination = self._class(namespace, labels)
            if destination is None:
                return Result.SILENT
            flows = self._exposure.between(source, node, destination, its_node)
        return Result.OPEN if flows.allows(TCP, port) else Result.SILENT

    def _class(self, namespace: str, labels: Mapping[str, str]) -> int | None:
        """Return a class that policies cannot tell from a pod with these labels."""
        terrain = self._exposure.terrain
        keys = terrain.asks.keys
        if self._drawn[0] is not terrain:
            found: _Known = {}
            for index in indexes_of(terrain.policed):
                one = terrain.chart.universe.classes[index]
                found.setdefault((one.namespace, _asked(one.labels, keys)), index)
            self._drawn = (terrain, found)
        return self._drawn[1].get((namespace, _asked(labels, keys)))


def _asked(labels: Mapping[str, str], keys: frozenset[str]) -> frozenset[tuple[str, str]]:
    return frozenset((key, value) for key, value in labels.items() if key in keys)
