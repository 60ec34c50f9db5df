"""boto3 sessions: a profile, a region, a role assumed and assumed again before it expires. Imports boto3 when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eksnetpol.errors import UsageError
from eksnetpol.gateways.aws_door import translated


def make_session(profile: str, region: str, role_arn: str = "", external_id: str = "") -> Any:
    """Return a boto3 session; with *role_arn* its credentials are that role's, renewed as they run out."""
    import boto3
    import botocore.session

    with translated("aws configuration"):
        own = boto3.Session(profile_name=profile or None, region_name=region or None)
        _regional(own)
        if not role_arn:
            return own
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

        extra = {"RoleSessionName": "eksnetpol", **({"ExternalId": external_id} if external_id else {})}
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=own._session.create_client,  # noqa: SLF001 - boto3 has no other way to a renewed role
            source_credentials=_credentials(own),
            role_arn=role_arn,
            extra_args=extra,
        )
        assumed = botocore.session.get_session()
        assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001
        session = boto3.Session(botocore_session=assumed, region_name=own.region_name)
        _regional(session)
        return session


def client_maker(session: Any, endpoint_url: str, ca_bundle: str, timeout: float) -> Callable[[str], Any]:
    """Return what makes a client of a service; *endpoint_url* is EKS's own, others come from the environment or profile."""

    def make(service: str) -> Any:
        from botocore.config import Config

        from eksnetpol import __version__

        config = Config(
            retries={"mode": "standard"},
            user_agent_extra=f"eksnetpol/{__version__}",
            connect_timeout=min(10.0, timeout),
            read_timeout=timeout,
        )
        with translated(f"{service} client"):
            try:
                return session.client(
                    service,
                    config=config,
                    endpoint_url=(endpoint_url or None) if service == "eks" else None,
                    verify=ca_bundle or None,
                )
            except ValueError as error:
                raise UsageError(f"cannot talk to {service}: {error}") from error

    return make


def _credentials(session: Any) -> Any:
    from botocore.exceptions import NoCredentialsError

    found = session.get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def _regional(session: Any) -> None:
    # Tokens for an API server are signed for the regional endpoint; the legacy setting would give the global one.
    session._session.set_config_variable("sts_regional_endpoints", "regional")  # noqa: SLF001
