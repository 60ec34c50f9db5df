"""Settings of the VPC CNI by their dotted path in the add-on's configuration, which the chart shares: ``env.WARM_IP_TARGET``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.assets.history import history

_WHOLE = ("affinity", "tolerations", "eniConfig.subnets")
"""Paths whose value is a document of its own."""

_QUANTITY = re.compile(r"(?:(?:init|nodeAgent)\.)?resources\.(?:limits|requests)\.[^.]+")
_VARIABLE = re.compile(r"(?:init\.)?env\.[^.]+")
_PROBES = ("livenessProbeTimeoutSeconds", "readinessProbeTimeoutSeconds")
_OTHERS = frozenset({*_WHOLE, *_PROBES, "eniConfig.create", "eniConfig.region"})


class Settings:
    """Values by dotted path. Nested documents and dotted keys mean the same, also mixed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._values = dict(_flat(document))

    def get(self, path: str) -> Any:
        """Return what is set at *path*, None where nothing is."""
        return self._values.get(path)

    def text(self, path: str, default: str) -> str:
        """Return what is set at *path* as a text, booleans in lower case, *default* where nothing is."""
        value = self._values.get(path)
        if value is None:
            return default
        return str(value).lower() if isinstance(value, bool) else str(value)

    def number(self, path: str, default: int) -> int:
        """Return what is set at *path* as a number, *default* where nothing is or it is no number."""
        text = self.text(path, "")
        return int(text) if text.isascii() and text.isdigit() else default

    def below(self, path: str) -> dict[str, Any]:
        """Return what is set right under *path*, by key."""
        above = f"{path}."
        return {key.removeprefix(above): value for key, value in self._values.items() if key.startswith(above)}

    def unknown(self) -> tuple[str, ...]:
        """Return the paths of what ends up nowhere, because the VPC CNI has no such setting."""
        return tuple(sorted(path for path in self._values if not _is_known(path)))


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and path not in _WHOLE:
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _is_known(path: str) -> bool:
    if path in _OTHERS or _VARIABLE.fullmatch(path) or _QUANTITY.fullmatch(path):
        return True
    return path in {flag.key for flag in history().flag} | {setting.key for setting in history().setting}
