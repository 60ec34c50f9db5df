"""A proxy in front of an API server or of the EKS endpoint that counts calls, and does to a chosen one what networks do.

One `Script` may stand behind several proxies: then calls are numbered across all of them, in the order they arrive. TLS ends
here, with a certificate of the cluster's own authority, so that a client verifies as always; a client certificate does not get
through, a token does. Bodies are passed on as they come, so watches stream.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.testbed.pki import Authority

VICTIM_WITHIN = 10.0
"""Seconds within which a test has to say whom `Kill` ends."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_BLOCK = 1 << 16
_LONGEST = 120.0
_REASONS: Mapping[int, str] = {
    401: "Unauthorized",
    403: "Forbidden",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came. ``number`` counts from 1."""

    number: int
    method: str
    target: str
    agent: str = ""
    """Its User-Agent."""

    @property
    def path(self) -> str:
        """Its path without query."""
        return urlsplit(self.target).path

    @property
    def is_watch(self) -> bool:
        """True for a watch of an API server."""
        return parse_qs(urlsplit(self.target).query).get("watch") == ["true"]

    @property
    def changes(self) -> bool:
        """True when it may change something."""
        return self.method not in _READS

    def __str__(self) -> str:
        return f"{self.number} {self.method} {self.target}"


# --- what may happen to a call ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """It is answered at once and not passed on. ``code`` is the name of an AWS error; an API server's Status has a reason."""

    status: int
    retry_after: int | None = None
    code: str = ""
    message: str = "injected"


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset; the call is not passed on."""


@dataclass(frozen=True, slots=True)
class Lost:
    """It is passed on and carried out, and then the connection is reset: whoever asked never hears of it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """It is passed on and carried out, and the connection is reset in the middle of the answer, of a watch in its first event."""


@dataclass(frozen=True, slots=True)
class Delay:
    """It is passed on, with its answer ``seconds`` late; ``before`` holds back the call itself instead."""

    seconds: float
    before: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """Whoever asks (`Script.victim`) is killed: before the call is passed on, or ``after`` it was carried out."""

    after: bool = False


Fault = Answer | Reset | Lost | Cut | Delay | Kill


@dataclass(slots=True)
class Script:
    """What is to happen to which call. ``calls`` are those that came; ``victim`` is the process that `Kill` ends."""

    victim: int | None = None
    calls: list[Call] = field(default_factory=list)
    counts: Callable[[Call], bool] = lambda _: True
    """Which calls are numbered and kept; the others pass untouched."""
    _planned: dict[int, Fault] = field(default_factory=dict)
    _rules: list[tuple[Callable[[Call], bool], Fault, list[int]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, number: int, fault: Fault) -> None:
        """Let *fault* happen to call *number*, counted from 1."""
        self._planned[number] = fault

    def when(self, which: Callable[[Call], bool], fault: Fault, times: int = 1) -> None:
        """Let *fault* happen to the next *times* calls for which *which* is true."""
        self._rules.append((which, fault, [times]))

    def begin(self) -> None:
        """Count from 1 again, with no calls, no faults and no victim."""
        with self._lock:
            self.calls.clear()
            self._planned.clear()
            self._rules.clear()
            self.victim = None

    def arrived(self, method: str, target: str, agent: str = "") -> Fault | None:
        """Count a call and return what is to happen to it."""
        with self._lock:
            call = Call(len(self.calls) + 1, method, target, agent)
            if not self.counts(call):
                return None
            self.calls.append(call)
            if call.number in self._planned:
                return self._planned.pop(call.number)
            for which, fault, left in self._rules:
                if left[0] > 0 and which(call):
                    left[0] -= 1
                    return fault
            return None

    def kill(self) -> None:
        """End the victim by SIGKILL, as soon as somebody has said who that is."""
        deadline = time.monotonic() + VICTIM_WITHIN
        while self.victim is None:
            assert time.monotonic() < deadline, "nobody said whom to kill"
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.kill(self.victim, signal.SIGKILL)


@contextmanager
def proxying(
    script: Script, upstream: str, *, authority: Authority | None = None, aws: bool = False
) -> Iterator[str]:
    """Stand in front of *upstream* and yield the URL to ask instead.

    With *authority*, that of the cluster, TLS is spoken on both sides. *aws* words injected errors as AWS does.
    """
    members = {"script": script, "upstream": urlsplit(upstream), "authority": authority, "aws": aws}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), members))
    server.daemon_threads = True
    with tempfile.TemporaryDirectory() as folder:
        if authority is not None:
            pair = authority.serving()
            chain = Path(folder) / "serving.pem"
            chain.write_text(pair.certificate + pair.key)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(chain)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{'https' if authority else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client; `proxying` sets the members below on a subclass."""

    protocol_version = "HTTP/1.1"
    script: Script
    upstream: Any
    authority: Authority | None
    aws: bool

    def handle(self) -> None:
        """Serve until either side has had enough: clients that are killed say no goodbye."""
        with suppress(OSError, http.client.HTTPException):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing: the script keeps the calls."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.script.arrived(self.command, self.path, self.headers.get("User-Agent", ""))
        match fault:
            case Answer():
                self._answer(fault)
            case Reset():
                self._reset()
            case Lost():
                self._carry_out(body)
                self._reset()
            case Cut():
                with self._asked(body) as response:
                    self._pass_back(response, cut=True)
                self._reset()
            case Kill(after=after):
                if after:
                    self._carry_out(body)
                self.script.kill()
                self._reset()
            case Delay(seconds=seconds, before=before):
                time.sleep(seconds if before else 0)
                with self._asked(body) as response:
                    time.sleep(0 if before else seconds)
                    self._pass_back(response)
            case None:
                with self._asked(body) as response:
                    self._pass_back(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names http.server calls

    def _carry_out(self, body: bytes) -> None:
        with self._asked(body) as response:
            response.read()

    @contextmanager
    def _asked(self, body: bytes) -> Iterator[http.client.HTTPResponse]:
        host, port = self.upstream.hostname, self.upstream.port
        if self.authority is None:
            connection: http.client.HTTPConnection = http.client.HTTPConnection(host, port, timeout=_LONGEST)
        else:
            context = ssl.create_default_context(cadata=self.authority.pem)
            connection = http.client.HTTPSConnection(host, port, timeout=_LONGEST, context=context)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.endheaders(body or None)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def _pass_back(self, response: http.client.HTTPResponse, *, cut: bool = False) -> None:
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length", "date", "server"}:
                self.send_header(name, value)
        length = response.getheader("Content-Length")
        if length is not None:
            self.send_header("Content-Length", length)
            self.end_headers()
            whole = response.read()
            self.wfile.write(whole[: len(whole) // 2] if cut else whole)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while block := response.read1(_BLOCK):
            if cut:
                self.wfile.write(b"%x\r\n%s" % (len(block), block[: len(block) // 2]))
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, fault: Answer) -> None:
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": fault.message,
            "reason": _REASONS.get(fault.status, ""),
            "code": fault.status,
        }
        data = json.dumps({"message": fault.message} if self.aws else status).encode()
        self.send_response(fault.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if fault.retry_after is not None:
            self.send_header("Retry-After", str(fault.retry_after))
        if self.aws and fault.code:
            self.send_header("x-amzn-ErrorType", fault.code)
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        # With nothing to linger for, closing sends RST; everything that would say goodbye first is taken off the handle.
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
