"""TLS for the API server: lenient where EKS's own certificates need it, and never shared between threads.

urllib3 loads certificates and protocols into the context it is given each time it connects. A context that several threads
connect with is so changed by one while OpenSSL reads it for another, outside of Python's lock: the process dies of a
segmentation fault, once in some hundred looks. So each connection makes a context of its own, in less than a millisecond.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any


def lenient_context() -> ssl.SSLContext:
    """Return a TLS context that verifies chain and host name.

    It does without the strictness that Python 3.13 added: the CA of an EKS cluster has no Authority Key Identifier, which RFC
    5280 allows a self-signed one (kubernetes-client/python#2394).
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def with_own_contexts(pool: Any) -> Any:
    """Let each connection of the urllib3 *pool* (a PoolManager) verify with a lenient context of its own; return *pool*."""
    pool.connection_pool_kw.pop("ssl_context", None)
    pool.pool_classes_by_scheme = {**pool.pool_classes_by_scheme, "https": _pool_class()}
    return pool


@lru_cache(maxsize=1)
def _pool_class() -> Any:
    from urllib3 import HTTPSConnectionPool
    from urllib3.connection import HTTPSConnection

    class Connection(HTTPSConnection):
        """A connection that makes its context when it connects."""

        def connect(self) -> None:
            self.ssl_context = lenient_context()
            super().connect()

    class Pool(HTTPSConnectionPool):
        """A pool of such connections."""

        ConnectionCls = Connection

    return Pool
