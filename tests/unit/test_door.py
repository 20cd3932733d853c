"""The door: who is let in, and the reason for everybody else."""

import pytest

from decklog.model import door

TOKEN = b"alice.s3cr3t-value"
HOSTS = door.loopback_hosts(8080)


def ask(host: str = "127.0.0.1:8080", origin: str | None = None, authorization: str | None = None) -> str | door.Reason:
    return door.admit(door.Request(host, origin, authorization), hosts=HOSTS, token=TOKEN)


def test_the_subject_of_the_right_token_is_the_actor() -> None:
    assert ask(authorization="Bearer alice.s3cr3t-value") == "alice"
    assert ask("localhost:8080", "http://localhost:8080", "bearer alice.s3cr3t-value") == "alice"
    assert door.subject_of(b"justrandom") == "operator"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"authorization": None}, door.Reason.MISSING_TOKEN),
        ({"authorization": "Basic eDp5"}, door.Reason.MISSING_TOKEN),
        ({"authorization": "Bearer "}, door.Reason.MISSING_TOKEN),
        ({"authorization": "Bearer alice.s3cr3t"}, door.Reason.WRONG_TOKEN),
        ({"authorization": "Bearer é"}, door.Reason.WRONG_TOKEN),
        ({"host": "evil.example:8080", "authorization": "Bearer alice.s3cr3t-value"}, door.Reason.FOREIGN_HOST),
        ({"host": "127.0.0.1", "authorization": "Bearer alice.s3cr3t-value"}, door.Reason.FOREIGN_HOST),
        ({"origin": "http://evil.example", "authorization": "Bearer alice.s3cr3t-value"}, door.Reason.FOREIGN_ORIGIN),
        ({"origin": "null", "authorization": "Bearer alice.s3cr3t-value"}, door.Reason.FOREIGN_ORIGIN),
        ({"origin": "https://localhost:8080"}, door.Reason.FOREIGN_ORIGIN),
        ({"origin": "http://[::1"}, door.Reason.FOREIGN_ORIGIN),
        ({"origin": ""}, door.Reason.FOREIGN_ORIGIN),
    ],
)
def test_everybody_else_is_refused_with_a_reason_and_a_hint(asked: dict[str, str], reason: door.Reason) -> None:
    assert ask(**asked) is reason
    assert reason.hint
    assert reason.status in (401, 403)
