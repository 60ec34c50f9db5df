"""Sets against what Calico's own code answered: whole matrices and addresses at once; one by one is the readers' own test."""

from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.policy.answers import Partition
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import StackEngine
from tests.engines.test_calico_verdicts import CASES, packet, speaks_of_source_ports, stack, world


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_matrix_and_addresses_are_as_recorded(number: int) -> None:
    case = CASES[number]
    mine = world(case)
    found = stack(case, mine)
    asked = Asked(StackEngine(mine, found, Profile(Semantics.CALICO, family="ipv4")))
    wrong = []
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        sure, perhaps = asked.about(query)
        # Where rules ask for source ports, sets are sure of nothing that Calico denies for some.
        alike = sure <= verdict["allowed"] <= perhaps
        if not alike or (sure != perhaps and not speaks_of_source_ports(found)):
            wrong.append((query, verdict, sure, perhaps))
    assert wrong == []


class Asked:
    """One engine, asked in sets alone."""

    def __init__(self, engine: StackEngine) -> None:
        self.engine = engine
        self.matrix = engine.matrix()
        self._outside: dict[tuple[Direction, str], Partition] = {}

    def about(self, query: dict[str, Any]) -> tuple[bool, bool]:
        """Return whether a connection surely may, and whether it perhaps may."""
        source, destination = (self._class(query[key]) for key in ("from", "to"))
        protocol, number = packet(query)
        if source is not None and destination is not None:
            answer = self.matrix.between(1 << source, 1 << destination)
            return answer.every.allows(protocol, number), answer.some.allows(protocol, number)
        index = source if source is not None else destination
        assert index is not None
        direction, address = (
            (Direction.EGRESS, query["to"]["ip"]) if source is not None else (Direction.INGRESS, query["from"]["ip"])
        )
        key = (direction, address)
        if key not in self._outside:
            self._outside[key] = self.engine.outside(direction, address)
        sure = any(classes >> index & 1 and c.allows(protocol, number) for c, classes in self._outside[key])
        return sure, sure or self._is_uncertain

    @property
    def _is_uncertain(self) -> bool:
        return speaks_of_source_ports(self.engine.stack)

    def _class(self, who: dict[str, str]) -> int | None:
        if "pod" not in who:
            return None
        namespace, _, name = who["pod"].partition("/")
        return self.engine.atlas.class_of[namespace, name]
