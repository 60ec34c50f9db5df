from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.configuration_values_fit_the_schema import configuration_values_fit_the_schema
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_configuration_values_fit_the_schema(case: Case) -> None:
    assert_case(configuration_values_fit_the_schema, case)
