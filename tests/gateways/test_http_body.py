"""Bodies arrive whole, however the network cuts them."""

from __future__ import annotations

import gzip
import io
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from eksnetpol.gateways.http_body import read_body


class _Drip(io.RawIOBase):
    """A connection that gives so many bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data = io.BytesIO(data)
        self.step = step

    def read1(self, size: int) -> bytes:
        return self.data.read(min(size, self.step))


def response(data: bytes, step: int, **headers: str) -> Any:
    events: list[str] = []
    inner = SimpleNamespace(fp=_Drip(data, step), chunked=True, close=lambda: events.append("inner"))
    return SimpleNamespace(
        _fp=inner,
        headers=headers,
        events=events,
        close=lambda: events.append("broken"),
        release_conn=lambda: events.append("released"),
    )


def chunked(parts: list[bytes], trailers: bytes = b"", extension: bytes = b"") -> bytes:
    sent = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part)
    return sent + b"0\r\n" + trailers + b"\r\n"


@given(
    st.lists(st.binary(max_size=40) | st.just(b"\r\n0\r\n\r\n"), max_size=8),
    st.integers(1, 50),
    st.sampled_from([b"", b"X-Trailer: 1\r\n", b"A: 1\r\nB: 2\r\n"]),
    st.sampled_from([b"", b";name=value"]),
)
def test_chunks_are_put_together_wherever_they_were_cut(parts: list[bytes], step: int, trailers: bytes, extension: bytes) -> None:
    answer = response(chunked(parts, trailers, extension), step)
    assert read_body(answer) == b"".join(parts)
    assert answer._fp.fp.read1(1) == b""  # noqa: SLF001 - nothing is left behind on the connection
    assert answer.events == ["inner", "released"]


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), st.integers(1, 50), st.data())
def test_a_body_that_ends_too_soon_is_no_body(parts: list[bytes], step: int, data: st.DataObject) -> None:
    whole = chunked(parts)
    answer = response(whole[: data.draw(st.integers(0, len(whole) - 1))], step)
    with pytest.raises(ProtocolError):
        read_body(answer)
    assert answer.events == ["broken"]


@pytest.mark.parametrize("text", [b"-3\r\nabc\r\n0\r\n\r\n", b"zz\r\nabc\r\n0\r\n\r\n", b"<html>\r\n\r\n"])
def test_what_is_not_chunked_is_not_guessed(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_body(response(text, 10))


def test_a_compressed_body_is_opened() -> None:
    body = gzip.compress(b"x" * 5000)
    headers = {"Content-Encoding": "gzip"}
    assert read_body(response(chunked([body[:7], body[7:]]), 9, **headers)) == b"x" * 5000
    with pytest.raises(ProtocolError):
        read_body(response(chunked([body[:-9]]), 9, **headers))
