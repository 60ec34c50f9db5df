"""What a kind of the Kubernetes API is called, and where its objects are."""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]
"""An object of the API in its own JSON, whole."""


class Kind(msgspec.Struct, frozen=True, order=True):
    """A kind with its group and version, and the word its paths and its RBAC rules use."""

    name: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What objects say of it: ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural
