"""What is wrong with something that was given: said, and left out of what is analysed."""

from __future__ import annotations

import msgspec

from eksnetpol.model.findings import Subject


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with one object, or with a document that nothing could be read from.

    ``place`` is ``file:line`` (empty for what came from no file), ``field`` the path the API server would name
    (``spec.ingress[0].from[1].ipBlock.cidr``), empty where there is none. ``subject`` is None where no object could be made out.
    """

    place: str
    message: str
    subject: Subject | None = None
    field: str = ""

    def __str__(self) -> str:
        """One line: place, object, field and what is wrong."""
        parts = (self.place, "" if self.subject is None else str(self.subject), self.field, self.message)
        return ": ".join(part for part in parts if part)
