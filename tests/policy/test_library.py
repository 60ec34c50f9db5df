"""The library's public names: each is there, and none hides behind a module of the same name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from eksnetpol import policy

STUB = Path(policy.__file__).with_suffix(".pyi")


@pytest.mark.parametrize("name", policy.__all__)
def test_a_public_name_is_what_it_says(name: str) -> None:
    assert not isinstance(getattr(policy, name), ModuleType)


def test_the_types_of_all_names_are_told() -> None:
    assert re.findall(r'^ {4}"(\w+)",$', STUB.read_text(encoding="utf-8"), flags=re.MULTILINE) == policy.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        policy.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_imports_none_of_its_rooms() -> None:
    code = "import sys; from eksnetpol import policy; print([m for m in sys.modules if m.startswith('eksnetpol.policy.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
