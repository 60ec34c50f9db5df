"""Where the files that ship with the package are: in a wheel, beside an editable install, or in a checkout."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def root(kind: str) -> Traversable:
    """Return the folder of *kind* (``templates`` or ``iam``); raise `FileNotFoundError` when the install lacks it."""
    packaged = files("eksnetpol") / "_assets" / kind
    if packaged.is_dir():
        return packaged
    beside = Path(__file__).resolve().parents[2] / kind
    if beside.is_dir():
        return beside
    message = f"eksnetpol is installed without its {kind!r} folder (looked in {packaged} and {beside}); install it again"
    raise FileNotFoundError(message)
