"""The body of a long answer, read in large pieces.

An API server sends a list in chunks of two kilobytes. http.client reads each with three small reads, which for 20,000 pods costs
more than decoding them; here a block of whatever has arrived is taken at once and cut at the chunks' joints.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from urllib3.exceptions import ProtocolError

BLOCK = 1 << 18
_END = b"\r\n"


def read_body(response: Any) -> bytes:
    """Return the whole body of a urllib3 response that was not preloaded, and give its connection back.

    Raises urllib3's `ProtocolError` when the body ends before it should, and `OSError` when the connection breaks.
    """
    inner: Any = getattr(response, "_fp", None)
    stream = getattr(inner, "fp", None)
    if not getattr(inner, "chunked", False) or not hasattr(stream, "read1"):
        body: bytes = response.data
        return body
    try:
        parts = _chunks(stream)
    except BaseException:
        response.close()
        raise
    inner.close()
    response.release_conn()
    body = b"".join(parts)
    if response.headers.get("Content-Encoding", "").lower() != "gzip":
        return body
    try:
        return gzip.decompress(body)
    except (EOFError, OSError, zlib.error) as error:
        raise ProtocolError(f"the compressed answer is broken: {error}") from error


def _chunks(stream: Any) -> list[bytes]:
    """Return the chunks of *stream* up to the empty one that ends the body, and read what follows that one."""
    parts: list[bytes] = []
    held, at = b"", 0
    while True:
        joint = held.find(_END, at)
        begin = joint + 2
        size = _size(held[at:joint]) if joint >= 0 else 0
        if joint < 0 or begin + size + 2 > len(held):
            held, at = held[at:] + _more(stream), 0
        elif size:
            parts.append(held[begin : begin + size])
            at = begin + size + 2
        elif held.startswith(_END, begin):
            return parts
        else:
            # Trailers, of which nobody has use: what comes after one is looked at as if the end had only now been said.
            trailer = held.find(_END, begin)
            held, at = (b"0\r\n" + held[trailer + 2 :] if trailer >= 0 else held[at:] + _more(stream)), 0


def _more(stream: Any) -> bytes:
    block: bytes = stream.read1(BLOCK)
    if not block:
        raise ProtocolError("the connection ended in the middle of the answer")
    return block


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise ProtocolError(f"{line[:20]!r} is not the size of a chunk")
    return int(digits, 16)
