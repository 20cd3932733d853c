"""Settings: wrong ones are all named at once, and secrets neither leak nor lie open."""

from pathlib import Path
from typing import Self

import pydantic
import pytest

from decklog.model import errors
from decklog.runtime import settings


def token(folder: Path, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text("abc\n")
    path.chmod(mode)
    return path


def load(folder: Path, **changed: object) -> settings.ServiceSettings:
    values = {"kafka": "127.0.0.1:9092", "state_dir": folder, "token_file": token(folder), **changed}
    loaded = settings.load(settings.ServiceSettings, **values)
    assert isinstance(loaded, settings.ServiceSettings)
    return loaded


def test_every_wrong_setting_is_named_by_its_variable(tmp_path: Path) -> None:
    with pytest.raises(errors.Terminal) as caught:
        load(tmp_path, ops_port=70_000, log_level="loud")
    assert "DECKLOG_OPS_PORT" in str(caught.value)
    assert "DECKLOG_LOG_LEVEL" in str(caught.value)


def test_a_token_that_others_can_read_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    path = token(tmp_path, 0o644)
    with pytest.raises(ValueError, match=f"chmod 600 {path}"):
        settings.check_private(path)
    with pytest.raises(errors.Terminal, match="mode 0644"):
        settings.read_secret(path)


def test_a_secret_comes_without_its_line_end_and_not_from_an_empty_file(tmp_path: Path) -> None:
    path = token(tmp_path)
    assert settings.read_secret(path) == b"abc"
    path.write_text("\n")
    with pytest.raises(errors.Terminal, match="empty"):
        settings.read_secret(path)


def test_what_is_no_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(errors.Terminal, match="Is a directory"):
        settings.read_key(tmp_path)


def test_passwords_in_urls_do_not_reach_the_log(tmp_path: Path) -> None:
    shown = load(tmp_path, zipkin="http://me:hunter2@127.0.0.1/x").redacted()
    assert "hunter2" not in str(shown)
    assert shown["zipkin"] == "http://me:***@127.0.0.1/x"


def test_a_key_keeps_bytes_that_look_like_line_ends(tmp_path: Path) -> None:
    """Of 32 random bytes one in sixty begins or ends so; a key is bytes, not text."""
    path = tmp_path / "key"
    path.write_bytes(b"\n" + bytes(30) + b"\r")
    path.chmod(0o600)
    assert len(settings.read_key(path)) == 32


class Pair(settings.ServiceSettings):
    """Two settings that come together."""

    left: str = ""
    right: str = ""

    @pydantic.model_validator(mode="after")
    def _both(self) -> Self:
        if bool(self.left) != bool(self.right):
            raise ValueError("DECKLOG_LEFT and DECKLOG_RIGHT come together")
        return self


def test_what_is_wrong_with_two_settings_is_said_in_our_words_alone(tmp_path: Path) -> None:
    """They name the variables: nothing of the library stands before them."""
    with pytest.raises(errors.Terminal) as caught:
        settings.load(Pair, kafka="k:1", state_dir=tmp_path, token_file=token(tmp_path), left="x")
    assert str(caught.value).startswith("settings: DECKLOG_LEFT and DECKLOG_RIGHT come together. ")
