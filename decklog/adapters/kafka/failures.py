"""The one boundary where aiokafka's exceptions become ours, sorted by what the caller should do."""

import contextlib
from collections.abc import Iterator

from aiokafka import errors as kafka

from decklog.model import errors


class Unpermitted(kafka.KafkaError):  # type: ignore[misc]
    """Nothing may be sent now; what waited in the client goes out no more."""


_REFUSED = (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError, kafka.InvalidTopicError)
_TERMINAL = (
    kafka.TopicAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.ClusterAuthorizationFailedError,
    kafka.SaslAuthenticationFailed,
    kafka.UnsupportedSaslMechanismError,
    kafka.IllegalSaslStateError,
    kafka.IncompatibleBrokerVersion,
    kafka.PolicyViolationError,
    kafka.InvalidConfigurationError,
    kafka.InvalidReplicationFactorError,
)
_SILENT = (kafka.RequestTimedOutError, kafka.KafkaTimeoutError)


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise one of `decklog.model.errors` for what Kafka's client raised. `where`: cluster, topic or group."""
    try:
        yield
    except (kafka.KafkaError, OSError) as error:
        raise sorted_error(error, where) from error


def sorted_error(error: BaseException, where: str) -> errors.DecklogError:
    """Our error for one of theirs."""
    what = _said(error)
    if isinstance(error, _REFUSED):
        return errors.Refused(what, where=where, hint="Send less in one event, or name another topic")
    if isinstance(error, _TERMINAL):
        return errors.Terminal(what, where=where, hint="Check the Kafka user's rights and the cluster's settings")
    if isinstance(error, Unpermitted):
        return errors.Transient("nothing may be sent now", where=where, hint="Whoever may speak sends it")
    if isinstance(error, kafka.UnknownTopicOrPartitionError):
        return errors.Transient(what, where=where, hint="Run `decklog admin topics ensure` if the topic does not exist")
    return errors.Transient(what, where=where, hint="Check that Kafka is up and can be reached")


def _said(error: BaseException) -> str:
    """What happened, in words where there are better ones than the name of the class."""
    if isinstance(error, _SILENT):
        return "Kafka does not answer in time"
    name = type(error).__name__
    more = str(error).rpartition(name)[2].lstrip(": ")
    return f"Kafka: {name} ({more})" if more else f"Kafka: {name}"
