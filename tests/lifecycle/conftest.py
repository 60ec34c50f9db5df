"""One real cluster for all tests of this folder that want one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lifecycle.cluster import Place, built
from tests.testbed.aws import Aws
from tests.testbed.build import Components


@pytest.fixture(scope="module")
def place(moto: Aws, full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    moto.reset()
    with built(tmp_path_factory.mktemp("lifecycle"), moto, full_programs) as made:
        yield made
