from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.kernel_supports_ebpf import kernel_supports_ebpf
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_kernel_supports_ebpf(case: Case) -> None:
    assert_case(kernel_supports_ebpf, case)
