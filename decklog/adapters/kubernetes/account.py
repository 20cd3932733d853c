"""Which cluster, under which credentials."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from kubernetes_asyncio import client, config

from decklog.model import errors


@dataclass(frozen=True, slots=True)
class Account:
    """A context of a kubeconfig file, or with an empty context the account of the pod that we run in."""

    context: str
    kubeconfig: Path | None


async def configure(account: Account) -> client.Configuration:
    """The client's configuration. Raises `Refused` where the account cannot be found: declared or set up wrongly."""
    configuration = client.Configuration()
    configuration.retries = False
    where = f"context {account.context!r} of {account.kubeconfig}" if account.context else "in-cluster account"
    try:
        if account.context:
            await _from_file(account, configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise errors.Refused(
            _reason(error), where=where, hint="Declare the cluster with a context that this service's kubeconfig has"
        ) from error
    return configuration


async def _from_file(account: Account, configuration: client.Configuration) -> None:
    if account.kubeconfig is None:
        raise config.ConfigException("no kubeconfig was given to this service (KUBECONFIG)")
    await config.load_kube_config(
        config_file=str(account.kubeconfig),
        context=account.context,
        client_configuration=configuration,
        persist_config=False,
    )


def _reason(error: Exception) -> str:
    """What is wrong, without the contents of a file that holds credentials."""
    if isinstance(error, config.ConfigException):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"the kubeconfig cannot be read ({type(error).__name__})"
