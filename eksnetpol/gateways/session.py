"""From flags to doors: which cluster is meant, who we are to it, and whether it is the one that was named."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from eksnetpol.errors import Denied, EksNetpolError, GuardRefused, NotFound, UnreadableInput, UsageError
from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.aws_door import AwsDoor, translated
from eksnetpol.gateways.aws_session import client_maker, make_session
from eksnetpol.gateways.context_names import cluster_of
from eksnetpol.gateways.eks_token import EksToken, presigned_token
from eksnetpol.gateways.guard import Identity, mismatch
from eksnetpol.gateways.kubeconfig import (
    Context,
    KubeconfigCredentials,
    default_file,
    pool_of,
    read_context,
)
from eksnetpol.gateways.kubernetes import KubernetesApi
from eksnetpol.gateways.kubernetes_http import ApiServer, Credentials
from eksnetpol.gateways.tls import lenient_context, with_own_contexts
from eksnetpol.interfaces import AwsGateway, KubernetesGateway
from eksnetpol.model import eks
from eksnetpol.model.snapshot import NOT_ASKED, Seen, Target, Unread, Why

DELETING = "DELETING"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What the person said about the target; empty means not said. ``request_timeout`` is in seconds."""

    cluster: str = ""
    region: str = ""
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    kubeconfig: str = ""
    context: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    ca_bundle: str = ""
    request_timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The doors that could be opened, and why the others could not.

    ``cluster`` is what DescribeCluster said on the way. ``aws_problem`` and ``kubernetes_problem`` say why that door is None.
    ``verified`` is False where the kubeconfig has the API server's certificate go unverified.
    """

    target: Target
    aws: AwsGateway | None = None
    kubernetes: KubernetesGateway | None = None
    cluster: Seen[eks.Cluster] | Unread = NOT_ASKED
    aws_problem: Unread | None = None
    kubernetes_problem: Unread | None = None
    verified: bool = True


def connect(options: TargetOptions) -> Connection:
    """Open the doors to the cluster that *options* mean.

    Raises `UsageError` when they mean none, `NotFound` when AWS has no such cluster, `GuardRefused` when the kubeconfig's
    context is another cluster than the one named, and whatever went wrong when neither door opens.
    """
    return _Connecting(options).connect()


@dataclass(slots=True)
class _Connecting:
    """One attempt to connect, step by step; each step may leave a problem behind instead of a door."""

    options: TargetOptions
    context: Context | None = None
    cluster_name: str = ""
    region: str = ""
    account: str = ""
    session: Any = None
    aws: Aws | None = None
    cluster: eks.Cluster | None = None
    faults: dict[str, EksNetpolError] = field(default_factory=dict)

    def connect(self) -> Connection:
        self._read_flags()
        if self.cluster_name:
            self._attempt("aws", self._open_aws)
        else:
            reason = "which EKS cluster this context stands for is not known; give --cluster NAME --region REGION"
            self.faults["aws"] = UsageError(reason)
        kubernetes = self._attempt("kubernetes", self._open_kubernetes)
        if self.aws is None and kubernetes is None:
            raise self.faults["kubernetes" if self.context else "aws"]
        denied = self.faults.get("cluster")
        unread = why_unread(denied) if denied else self._problem("aws") or NOT_ASKED
        return Connection(
            target=self._target(),
            aws=self.aws,
            kubernetes=kubernetes,
            cluster=Seen(self.cluster) if self.cluster else unread,
            aws_problem=self._problem("aws"),
            kubernetes_problem=self._problem("kubernetes"),
            verified=self.context.identity.verified if self.context else True,
        )

    def _read_flags(self) -> None:
        options = self.options
        self.cluster_name, self.region = options.cluster, options.region
        if options.kubeconfig or options.context or not options.cluster:
            self.context = read_context(options.kubeconfig or default_file(), options.context)
            named = cluster_of(self.context.name, self.context.cluster_name)
            if named and not options.cluster:
                self.cluster_name, self.account = named.cluster, named.account
                self.region = options.region or named.region
            elif named and named.cluster == options.cluster:
                self.region = options.region or named.region

    def _attempt(self, door: str, step: Any) -> Any:
        try:
            return step()
        except (UsageError, GuardRefused) as error:
            # A file that cannot be read is an obstacle like any other; a wrong flag is not.
            if not isinstance(error, UnreadableInput):
                raise
            self.faults[door] = error
        except NotFound:
            raise
        except EksNetpolError as error:
            self.faults[door] = error
        return None

    def _open_aws(self) -> None:
        options = self.options
        self._sign_in()
        self.region = self.region or self.session.region_name or ""
        if not self.region:
            raise UsageError(f"which region cluster {self.cluster_name} is in is not known; give --region")
        aws = Aws(AwsDoor(self._maker(options.endpoint_url), renew=self._renewed_maker))
        try:
            self.cluster = aws.describe_cluster(self.cluster_name)
        except Denied as error:
            # The rest of AWS may be open nevertheless.
            self.faults["cluster"] = error
        except NotFound:
            if options.cluster:
                raise
            # The name was only read off the context.
            raise EksNetpolError(f"AWS has no cluster {self.cluster_name} in {self.region} as the context says") from None
        if self.cluster and self.context:
            self._hold_against_kubeconfig(self.cluster, self.context)
        self.aws = aws

    def _sign_in(self) -> None:
        options = self.options
        self.session = make_session(options.profile, self.region, options.role_arn, options.external_id)

    def _maker(self, endpoint_url: str = "") -> Callable[[str], Any]:
        return client_maker(self.session, endpoint_url, self.options.ca_bundle, self.options.request_timeout)

    def _renewed_maker(self) -> Callable[[str], Any] | None:
        """Sign in again; None where that gives the credentials that we have had."""
        before = self._access_key()
        self._sign_in()
        return self._maker(self.options.endpoint_url) if self._access_key() != before else None

    def _access_key(self) -> tuple[str, str]:
        with translated("aws configuration"):
            found = self.session.get_credentials()
            frozen = found.get_frozen_credentials() if found else None
        return (frozen.access_key, frozen.token or "") if frozen else ("", "")

    def _hold_against_kubeconfig(self, cluster: eks.Cluster, context: Context) -> None:
        why = mismatch(cluster.name, context.identity, Identity(cluster.endpoint, _ca(cluster)))
        if not why:
            return
        self.cluster = None
        if self.options.cluster:
            raise GuardRefused(f"{why}; leave out --kubeconfig and --context, or name the cluster they belong to")
        raise EksNetpolError(f"AWS is not asked: {why}")

    def _open_kubernetes(self) -> KubernetesApi:
        server, pool, credentials = _from_kubeconfig(self.context) if self.context else self._from_eks()
        extra = [("Impersonate-Group", group) for group in self.options.as_groups]
        if self.options.as_user:
            extra.insert(0, ("Impersonate-User", self.options.as_user))
        elif extra:
            raise UsageError("--as-group needs --as")
        api = ApiServer(server, pool, credentials, tuple(extra), self.options.request_timeout)
        kubernetes = KubernetesApi(api)
        try:
            # Whoever cannot be reached or does not know us says so once, and not once for each section.
            kubernetes.server_version()
        except (Denied, UnreadableInput):
            return kubernetes
        return kubernetes

    def _from_eks(self) -> tuple[str, Any, Credentials]:
        if self.cluster is None:
            denied = self.faults.get("cluster")
            if isinstance(denied, Denied):
                hint = f"where the API server is, is not known: {denied}; give --kubeconfig or --context"
                raise Denied(hint, permission=denied.permission)
            raise self.faults["aws"]
        cluster = self.cluster
        if cluster.status == DELETING:
            raise EksNetpolError(f"cluster {cluster.name} is being deleted (DescribeCluster says {DELETING})")
        if not cluster.endpoint or not cluster.certificate_authority.data:
            raise EksNetpolError(f"cluster {cluster.name} has no API server yet (DescribeCluster says {cluster.status})")
        sts = self._maker()("sts").meta.endpoint_url
        first = iter((True,))

        def mint() -> str:
            if not next(first, False):
                # Somebody may have signed in again since, and no call to AWS need have noticed.
                self._sign_in()
            return presigned_token(self.session, self.region, cluster.name, sts)

        return cluster.endpoint.rstrip("/"), _pool(cluster), EksToken(mint)

    def _problem(self, door: str) -> Unread | None:
        fault = self.faults.get(door)
        return why_unread(fault) if fault else None

    def _target(self) -> Target:
        cluster = self.cluster
        account = cluster.arn.split(":")[4] if cluster and cluster.arn.count(":") > 4 else self.account  # noqa: PLR2004
        return Target(
            cluster=self.cluster_name,
            region=self.region,
            account=account,
            arn=cluster.arn if cluster else "",
            server=self.context.server if self.context else cluster.endpoint if cluster else "",
            context=self.context.name if self.context else "",
        )


def _from_kubeconfig(context: Context) -> tuple[str, Any, Credentials]:
    credentials = KubeconfigCredentials(context)
    return context.server.rstrip("/"), pool_of(credentials.configuration), credentials


def why_unread(error: EksNetpolError) -> Unread:
    """Return what *error* means for a section that wanted to be read."""
    if isinstance(error, Denied):
        return Unread(str(error), Why.DENIED, error.permission)
    if isinstance(error, (UnreadableInput, NotFound)):
        return Unread(str(error), Why.UNREADABLE)
    if isinstance(error, UsageError):
        return Unread(str(error), Why.NOT_ASKED)
    return Unread(str(error), Why.UNREACHABLE)


def _ca(cluster: eks.Cluster) -> str:
    try:
        return base64.b64decode(cluster.certificate_authority.data, validate=True).decode("ascii")
    except ValueError as error:
        raise UnreadableInput("DescribeCluster", f"the certificate authority of {cluster.name} is no base64: {error}") from error


def _pool(cluster: eks.Cluster) -> Any:
    """Return a urllib3 pool that trusts *cluster*'s own CA, which never touches the disk, through a proxy if one is set."""
    import ssl
    import urllib.request

    import urllib3

    ca = _ca(cluster)
    try:
        lenient_context().load_verify_locations(cadata=ca)
    except ssl.SSLError as error:
        raise UnreadableInput("DescribeCluster", f"the certificate authority of {cluster.name} is no certificate") from error
    known: dict[str, Any] = {"maxsize": 16, "cert_reqs": "CERT_REQUIRED", "ca_cert_data": ca}
    proxy = urllib.request.getproxies().get("https")
    host = urlsplit(cluster.endpoint).hostname or ""
    if proxy and not urllib.request.proxy_bypass(host):
        return with_own_contexts(urllib3.ProxyManager(proxy, **known))
    return with_own_contexts(urllib3.PoolManager(**known))
