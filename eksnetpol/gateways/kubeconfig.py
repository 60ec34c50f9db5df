"""A kubeconfig, through the kubernetes client's own loader: exec plug-ins, client certificates, proxies.

Imports the kubernetes client when called.
"""

from __future__ import annotations

import base64
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from eksnetpol.errors import Unauthenticated, UnreadableInput, UsageError
from eksnetpol.gateways.faults import one_line
from eksnetpol.gateways.guard import Identity
from eksnetpol.gateways.kubernetes_http import Credentials
from eksnetpol.gateways.tls import with_own_contexts

_CONNECTIONS = 16


class Context(msgspec.Struct, frozen=True):
    """A context of a kubeconfig: its name, the name of its cluster's entry, and those entries themselves."""

    file: str
    name: str
    cluster_name: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    folder: str = ""

    @property
    def server(self) -> str:
        """Where its API server answers."""
        return str(self.cluster.get("server", ""))

    @property
    def identity(self) -> Identity:
        """How its cluster shows itself; raise `UnreadableInput` when its CA cannot be read."""
        verified = not self.cluster.get("insecure-skip-tls-verify", False)
        data, path = self.cluster.get("certificate-authority-data"), self.cluster.get("certificate-authority")
        with _readable(self.file):
            ca = base64.b64decode(data).decode("ascii") if data else ""
            if path and not data:
                ca = (Path(self.folder) / path).read_text(encoding="ascii")
        return Identity(self.server, ca, verified)


def default_file() -> str:
    """Return the kubeconfig that kubectl would use; several files are joined as in ``KUBECONFIG``."""
    return os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())


def read_context(file: str, name: str) -> Context:
    """Return context *name* of *file*, or its current one where *name* is empty.

    Raises `UsageError` when there is none of that name, `UnreadableInput` when the file makes no sense.
    """
    with _readable(file):
        from kubernetes.config.kube_config import KubeConfigMerger

        config = KubeConfigMerger(file).config
        if config is None:
            raise UsageError(f"{file}: there is no kubeconfig; give --kubeconfig, or --cluster NAME --region REGION")
        entries = _plain(config)
        contexts = _by_name(entries, "contexts", "context")
        clusters, users = _by_name(entries, "clusters", "cluster"), _by_name(entries, "users", "user")
    wanted = name or entries.get("current-context") or ""
    if not wanted:
        raise UsageError(f"{file}: no context is current; give --context, or --cluster NAME --region REGION")
    if wanted not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise UsageError(f"{file}: there is no context {wanted!r}; there are: {known}")
    cluster_name = contexts[wanted].get("cluster", "")
    if "server" not in clusters.get(cluster_name, {}):
        raise UnreadableInput(file, f"context {wanted!r} names cluster {cluster_name!r}, which has no server")
    origin = Path(config["clusters"].get_with_name(cluster_name).path or file)
    user = users.get(contexts[wanted].get("user", ""), {})
    return Context(file, wanted, cluster_name, clusters[cluster_name], user, str(origin.absolute().parent))


def _plain(node: Any) -> Any:
    """Return what the client's merger made of the files as plain dictionaries and lists: it wraps each entry with its file."""
    value = getattr(node, "value", node)
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value


def _by_name(entries: Mapping[str, Any], plural: str, singular: str) -> dict[str, dict[str, Any]]:
    return {str(e["name"]): dict(e.get(singular) or {}) for e in entries.get(plural) or () if e and "name" in e}


class KubeconfigCredentials(Credentials):
    """What the loader found; exec plug-ins are run again when they say so, and when the API server refuses."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self.configuration = _load(context)

    def headers(self) -> Mapping[str, str]:
        """Return the Authorization header, if the credentials are of that sort."""
        with self._lock:
            return _authorization(self.configuration)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Run the exec plug-in again, unless another thread has; anything else in a kubeconfig stays what it is."""
        with self._lock:
            if "exec" not in self._context.user:
                return False
            if _authorization(self.configuration) == refused:
                self.configuration = _load(self._context)
            return _authorization(self.configuration) != refused


def pool_of(configuration: Any) -> Any:
    """Return a urllib3 pool with the certificates and the proxy of *configuration*."""
    from kubernetes.client.rest import RESTClientObject

    configuration.connection_pool_maxsize = _CONNECTIONS
    pool = RESTClientObject(configuration).pool_manager
    return with_own_contexts(pool) if configuration.verify_ssl else pool


def _authorization(configuration: Any) -> dict[str, str]:
    return {entry["key"]: entry["value"] for entry in configuration.auth_settings().values() if entry.get("value")}


def _load(context: Context) -> Any:
    """Return the client's configuration for *context*; raise `Unauthenticated` when its exec plug-in gives nothing."""
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    configuration = Configuration()
    # The client reads NO_PROXY and forgets it again, and does not know a cluster's own proxy.
    configuration.no_proxy = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    with _readable(context.file), _heard() as heard:
        load_kube_config(config_file=context.file, context=context.name, client_configuration=configuration, persist_config=False)
    if context.cluster.get("proxy-url"):
        configuration.proxy = context.cluster["proxy-url"]
    if "exec" in context.user and not configuration.auth_settings() and not configuration.cert_file:
        command = context.user["exec"].get("command", "?")
        said = one_line("; ".join(heard)) or "nothing"
        raise Unauthenticated(f"{context.file}: the command of context {context.name!r} gave no credentials: {command}: {said}")
    return configuration


@contextmanager
def _readable(file: str) -> Iterator[None]:
    import yaml
    from kubernetes.config import ConfigException

    try:
        yield
    except (ConfigException, yaml.YAMLError, OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise UnreadableInput(file, f"this is no usable kubeconfig: {one_line(error)}") from error


@contextmanager
def _heard() -> Iterator[list[str]]:
    # The loader logs what an exec plug-in does wrong to the root logger, and goes on without credentials.
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear = Ear(level=logging.ERROR)
    root = logging.getLogger()
    root.addHandler(ear)
    try:
        yield said
    finally:
        root.removeHandler(ear)
