"""What git prints when it fails becomes a reason that a user can act on."""

import pytest

from decklog.adapters.git import complaints
from decklog.ports import mirror

R = mirror.Reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("fatal: unable to access 'https://h/x/': Could not resolve host: h", R.UNREACHABLE),
        ("fatal: unable to access 'https://h/x/': Failed to connect to h port 443: Connection refused", R.UNREACHABLE),
        ("fatal: unable to access 'https://h/x/': SSL certificate problem: self-signed certificate", R.UNREACHABLE),
        ("fatal: Authentication failed for 'https://h/x/'", R.AUTHENTICATION_FAILED),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", R.AUTHENTICATION_FAILED),
        (
            "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            R.AUTHENTICATION_FAILED,
        ),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", R.UNKNOWN_HOST_KEY),
        ("remote: Repository not found.\nfatal: repository 'https://h/x/' not found", R.NOT_A_REPOSITORY),
        ("fatal: '/x' does not appear to be a git repository", R.NOT_A_REPOSITORY),
        ("fatal: couldn't find remote ref refs/heads/x", R.REF_NOT_FOUND),
        ("fatal: remote error: upload-pack: not our ref 0123", R.COMMIT_NOT_FOUND),
        ("ssh: connect to host h port 22: Connection timed out", R.TIMED_OUT),
        ("error: RPC failed; curl 18 transfer closed\nfatal: early EOF", R.UNREACHABLE),
        ("fatal: write error: No space left on device", R.DISK_FULL),
        ("error: object file objects/ab/cd is empty\nfatal: loose object abcd is corrupt", R.MIRROR_DAMAGED),
        ("fatal: something nobody has seen", R.GIT_FAILED),
        ("", R.GIT_FAILED),
    ],
)
def test_signs(said: str, reason: mirror.Reason) -> None:
    """Each cause is recognised by what git says of it, and every answer has a hint."""
    error = complaints.sort(said, where="source infra", address="")
    assert error.reason is reason
    assert error.hint


def test_the_address_decides_nothing() -> None:
    """A repository that is called `timeout` did not time out."""
    address = "https://h/timeout"
    error = complaints.sort(f"fatal: repository '{address}/' not found", where="source infra", address=address)
    assert error.reason is mirror.Reason.NOT_A_REPOSITORY


@pytest.mark.parametrize(
    "said",
    [
        "fatal: unable to access 'https://robot:hunter2@h/x/': boom",
        "remote: private_token=hunter2 is expired",
        "error: Authorization: hunter2",
        "fatal: https://h/x?access_token=hunter2&y=1",
    ],
)
def test_credentials_are_masked(said: str) -> None:
    """No password and no token gets from git's words into ours."""
    assert "hunter2" not in str(complaints.sort(said, where="source infra", address=""))


def test_what_a_terminal_would_obey_is_removed() -> None:
    """A remote's message cannot paint a screen, and the state folder is not shown."""
    error = complaints.sort("remote: \x1b[2J\x07gone\nfatal: /var/m/x.git", where="s", address="", folder="/var/m")
    assert "\x1b" not in str(error)
    assert "\x07" not in str(error)
    assert "/var/m" not in str(error)
