"""The CustomResourceDefinitions of ``networking.k8s.aws`` as AWS released them, known by the digests of their schemas."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One schema of one kind. ``digest`` is `eksnetpol.model.digests.schema_digest`; ``releases`` says in words who ships it."""

    name: str
    digest: str
    releases: str
    origin: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    definition: tuple[Definition, ...]


@lru_cache(maxsize=1)
def definitions() -> tuple[Definition, ...]:
    """Return every released schema that this version of the tool knows."""
    text = (files("eksnetpol") / "data" / "crd_digests.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(text, type=_File).definition


def recognise(name: str, digest: str) -> Definition | None:
    """Return the release whose schema *digest* is, None where it is no known one of the definition *name*."""
    return next((d for d in definitions() if (d.name, d.digest) == (name, digest)), None)
