"""Kubernetes quantities: ``256Mi``, ``0.5``, ``500m``, ``1G``, as exact numbers."""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([numkKMGTPE]i?))?")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse_quantity(text: str | float) -> Decimal | None:
    """Return a quantity in its base unit (bytes, cores), None where *text* is none.

    Suffixes are those of the API's documentation: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    found = _QUANTITY.fullmatch(str(text).strip())
    if not found:
        return None
    number = Decimal(found[1])
    if found[2]:
        return number.scaleb(int(found[2][1:]))
    suffix = found[3]
    if not suffix:
        return number
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    return number.scaleb(_DECIMAL[suffix]) if suffix in _DECIMAL else None
