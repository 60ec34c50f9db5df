from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.images_mount_the_bpf_filesystem import images_mount_the_bpf_filesystem
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_images_mount_the_bpf_filesystem(case: Case) -> None:
    assert_case(images_mount_the_bpf_filesystem, case)
