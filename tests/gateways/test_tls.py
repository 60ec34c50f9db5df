"""No two connections share a TLS context: sharing one between threads kills the process."""

from __future__ import annotations

import ssl

import pytest
import urllib3
from urllib3.connection import HTTPSConnection

from eksnetpol.gateways.tls import lenient_context, with_own_contexts


def test_each_connection_verifies_with_a_context_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[ssl.SSLContext | None] = []
    monkeypatch.setattr(HTTPSConnection, "connect", lambda self: contexts.append(self.ssl_context))
    pools = with_own_contexts(urllib3.PoolManager(ssl_context=lenient_context()))
    pool = pools.connection_from_url("https://127.0.0.1:6443")
    for _ in range(3):
        pool._new_conn().connect()  # noqa: SLF001 - where urllib3 makes its connections
    assert len({id(context) for context in contexts}) == 3
    for context in contexts:
        assert context is not None
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def test_plain_http_stays_what_it_is() -> None:
    pools = with_own_contexts(urllib3.PoolManager())
    assert isinstance(pools.connection_from_url("http://127.0.0.1:8080"), urllib3.HTTPConnectionPool)
