"""What the codes mean that EKS gives for an add-on's health and for an update that failed, and how its conflicts are read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import msgspec


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"next_step": "next"}):
    """What a code means here. ``next_step`` is what to do, ``passes`` whether it may go away by itself."""

    words: str
    next_step: str
    passes: bool


class ConflictField(msgspec.Struct, frozen=True, order=True):
    """A field that EKS did not take from its owner: ``where`` is ``DaemonSet.apps aws-node``, ``path`` the API server's."""

    where: str
    path: str


UNKNOWN = Code(
    "this version of eksnetpol does not know the code", "aws eks describe-addon and describe-update tell more", passes=False
)
"""What is said of a code that came after this release: nothing is known, so nothing is waited for."""

_CONFLICT = re.compile(r"(?P<where>[A-Z][A-Za-z]*(?:\.[a-z0-9.-]+)? [a-z0-9][a-z0-9.:-]*) - (?P<path>\.\S+)")
_LONGEST = 300
_NAMED = 5


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    codes: dict[str, Code]


@lru_cache(maxsize=1)
def codes() -> Mapping[str, Code]:
    """Return every code that is known, by its name in the API; both lists share those that have one name."""
    text = files("eksnetpol").joinpath("data/addon_codes.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _File).codes


def issue(code: str) -> Code:
    """Return what a code of an add-on's health means; `UNKNOWN` for one that is not known."""
    return codes().get(code, UNKNOWN)


def update_error(code: str) -> Code:
    """Return what a code of an update that failed means; `UNKNOWN` for one that is not known."""
    return codes().get(code, UNKNOWN)


def conflict_fields(message: str) -> tuple[ConflictField, ...]:
    """Return the fields that a ConfigurationConflict names, each once and in order; none where *message* is of another shape.

    EKS lists them one a line or one after the other (aws/amazon-vpc-cni-k8s#2150, terraform-aws-modules/terraform-aws-eks#2829),
    some several times, and cuts the last one off where the message gets too long.
    """
    found = (ConflictField(m["where"], m["path"]) for m in _CONFLICT.finditer(message))
    return tuple(dict.fromkeys(found))


def explained(code: str, message: str, meaning: Code) -> str:
    """Return one line about a code: what EKS says, what that means here, and what to do."""
    fields = conflict_fields(message)
    if fields:
        more = f" and {len(fields) - _NAMED} more" if len(fields) > _NAMED else ""
        named = ", ".join(f"{field.where} {field.path}" for field in fields[:_NAMED])
        said = f"{len(fields)} field{'s' if len(fields) > 1 else ''}: {named}{more}"
    else:
        said = " ".join(message.split())[:_LONGEST]
    return f"{code or 'no code'}{f' ({said})' if said else ''}: {meaning.words}; next: {meaning.next_step}"
