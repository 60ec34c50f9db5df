"""Why an object is left out: Cilium does not take it, or it is not understood here."""

from __future__ import annotations

PARSER = "Cilium's parser refuses it"
SCHEMA = "the schema of its CustomResourceDefinition refuses it"


class FaultError(ValueError):
    """What is wrong, and the field it is wrong in."""

    def __init__(self, why: str, place: str) -> None:
        super().__init__(f"{place}: {why}" if place else why)
        self.why = why
        self.place = place


class RefusedError(FaultError):
    """Cilium itself does not take the object: nothing of it is in force."""


class UnclearError(FaultError):
    """It is not known here what the object means: no answer that it could change is certain."""


def by_parser(why: str, place: str) -> RefusedError:
    """Return the refusal of an object that the API server takes and the agent does not."""
    return RefusedError(f"{PARSER}: {why}", place)


def by_schema(why: str, place: str) -> RefusedError:
    """Return the refusal of an object that the API server does not take."""
    return RefusedError(f"{SCHEMA}: {why}", place)
