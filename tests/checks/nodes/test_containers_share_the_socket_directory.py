from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.containers_share_the_socket_directory import containers_share_the_socket_directory
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_containers_share_the_socket_directory(case: Case) -> None:
    assert_case(containers_share_the_socket_directory, case)
