from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.nodes_are_newer_than_the_agents_maps import nodes_are_newer_than_the_agents_maps
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_nodes_are_newer_than_the_agents_maps(case: Case) -> None:
    assert_case(nodes_are_newer_than_the_agents_maps, case)
