"""A small API server that says what it is told to say: for the answers a healthy one never gives."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import urllib3

from eksnetpol.gateways.kubernetes import KubernetesApi
from eksnetpol.gateways.kubernetes_http import ApiServer, Credentials
from tests.testbed.pki import Authority, Pair


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: path, query (first values) and headers."""

    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said. ``cut`` breaks the connection in the middle of the body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Script = Callable[[Request], Answer]


@dataclass(slots=True)
class Scripted:
    """The server: its address, and the requests it has seen."""

    url: str
    seen: list[Request]


@contextmanager
def scripted(script: Script, tls: Pair | None = None, folder: Path | None = None) -> Iterator[Scripted]:
    """Serve what *script* says on the loopback address, with the certificate of *tls* if given."""
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            request = Request(url.path, query, dict(self.headers), tuple(self.headers.items()))
            seen.append(request)
            answer = script(request)
            body = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer.cut else body)
            self.close_connection = self.close_connection or answer.cut

        do_GET = do_POST = _serve  # noqa: N815 - the names http.server calls

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None and folder is not None:
        (folder / "serving.pem").write_text(tls.certificate + tls.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "serving.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    scheme = "https" if tls else "http"
    try:
        yield Scripted(f"{scheme}://127.0.0.1:{server.server_address[1]}", seen)
    finally:
        server.shutdown()
        server.server_close()


def status(code: int, message: str, reason: str = "") -> Answer:
    """Return a Status as the API server words its refusals."""
    return Answer(code, {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code})


def page(items: list[Any] | None, following: str = "", remaining: int | None = None) -> Answer:
    """Return a page of a list."""
    more = {"continue": following} if following else {}
    left = {"remainingItemCount": remaining} if remaining is not None else {}
    return Answer(body={"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7", **more, **left}, "items": items})


def kubernetes_at(url: str, *, ca: Authority | None = None, waits: list[float] | None = None, **more: Any) -> KubernetesApi:
    """Return a gateway to *url* that writes down how long it would have waited."""
    from eksnetpol.gateways.tls import with_own_contexts

    tls: dict[str, Any] = {"ca_cert_data": ca.pem, "cert_reqs": "CERT_REQUIRED"} if ca else {}
    slept = waits if waits is not None else []
    options = {"credentials": Credentials(), "sleep": slept.append, "timeout": 2.0, **more}
    return KubernetesApi(ApiServer(url, with_own_contexts(urllib3.PoolManager(**tls)), **options))
