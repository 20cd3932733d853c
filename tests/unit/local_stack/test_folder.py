"""The state folder: private secrets made once, files replaced whole, nothing removed that is not ours."""

import stat
from pathlib import Path

import pytest

from deploy.local import folder


def test_a_secret_is_private_and_made_once(tmp_path: Path) -> None:
    """0600, and a second mint keeps the first value."""
    secret = tmp_path / "token"
    folder.mint(secret, lambda: b"first")
    folder.mint(secret, lambda: b"second")
    assert secret.read_bytes() == b"first"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_the_login_code_is_new_at_every_start_and_the_rest_is_kept(tmp_path: Path) -> None:
    """A code that was printed in an old terminal no longer logs in; tokens in use stay valid."""
    state = folder.Folder(tmp_path)
    folder.mint_secrets(state)
    before = [path.read_bytes() for path in (state.login_code, state.token, state.masking_key)]
    folder.mint_secrets(state)
    after = [path.read_bytes() for path in (state.login_code, state.token, state.masking_key)]
    assert before[0] != after[0]
    assert before[1:] == after[1:]
    assert len(after[2]) == 32


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """A write that fails keeps the old text and leaves nothing beside it."""
    target = tmp_path / "env"
    folder.write_atomically(target, "old")
    with pytest.raises(UnicodeEncodeError):
        folder.write_atomically(target, "\ud800")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["env"]


def test_a_deep_state_folder_still_has_room_for_sockets(tmp_path: Path) -> None:
    """Unix sockets take 107 bytes: a longer path goes to a private folder elsewhere, the same one every time."""
    deep = folder.Folder(tmp_path.joinpath(*["a-long-name-of-a-folder"] * 6))
    sockets = deep.sockets()
    assert len(str(sockets)) <= folder.SOCKET_PATH_LIMIT
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert deep.sockets() == sockets
    deep.remove()
    assert not sockets.exists()


def test_a_strangers_folder_is_not_ours(tmp_path: Path) -> None:
    """`clean` asks this before it removes anything."""
    state = folder.Folder(tmp_path / "state")
    assert not state.is_ours()
    state.make()
    assert state.is_ours()
