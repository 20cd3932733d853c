"""Audit's settings: of the log's keys private files only, and only beside a log; poison is admitted of our topics."""

import os
from pathlib import Path

import pytest

from decklog.model import errors
from decklog.model.tlog import keys
from decklog.runtime import settings
from services.audit.publisher import exposure, ring
from services.audit.settings import AuditSettings


def private(folder: Path, name: str, mode: int = 0o600) -> Path:
    file = folder / name
    file.write_bytes(keys.new_pem(b"k" * 32))
    file.chmod(mode)
    return file


def load(folder: Path, **changed: object) -> AuditSettings:
    logins = {f"postgres_{part}": "postgresql://x@127.0.0.1/x" for part in ("writer", "projector", "api", "eraser")}
    values = {"kafka": "127.0.0.1:9092", "state_dir": folder, "token_file": private(folder, "token"), **logins}
    loaded = settings.load(AuditSettings, **values, **changed)
    assert isinstance(loaded, AuditSettings)
    return loaded


@pytest.mark.parametrize("setting", [ring.NEXT, ring.SECOND])
def test_a_further_key_is_one_of_a_log(tmp_path: Path, setting: str) -> None:
    """Without the log's own key and folder it would sign nothing, so it is refused and named."""
    name = setting.removeprefix("DECKLOG_").lower()
    with pytest.raises(errors.Terminal, match=f"{setting} is about a published log"):
        load(tmp_path, **{name: private(tmp_path, "further")})


@pytest.mark.parametrize("setting", [ring.CURRENT, ring.NEXT, ring.SECOND])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, setting: str) -> None:
    """Each of them, with the command that mends it."""
    files = {
        one.removeprefix("DECKLOG_").lower(): private(tmp_path, one) for one in (ring.CURRENT, ring.NEXT, ring.SECOND)
    }
    log = {"log_origin": "log.example", "log_dir": tmp_path / "log"}
    assert load(tmp_path, **files, **log).log_next_key_file == tmp_path / ring.NEXT
    (tmp_path / setting).chmod(0o640)
    with pytest.raises(errors.Terminal, match=f"chmod 600 {tmp_path / setting}"):
        load(tmp_path, **files, **log)


@pytest.mark.parametrize(
    ("opened", "mode", "told"),
    [
        ("log", 0o775, "log can be written by others (mode 0775); see that nobody did, and run: chmod go-w "),
        ("log/tally", 0o666, "tally can be written by others"),
        ("log/public", 0o757, "public can be written by others"),
        ("log/salts", 0o755, "salts can be read by others (mode 0755), and salts are secret; run: chmod -R go= "),
    ],
)
def test_a_folder_of_the_log_that_is_not_its_owners_alone_is_refused(
    tmp_path: Path, opened: str, mode: int, told: str
) -> None:
    """Whoever may write it can put there what a restored database is compared with; salts are for nobody else."""
    above = tmp_path / "above"
    for path in (above / "log/public", above / "log/salts"):
        path.mkdir(parents=True, mode=0o700)
    (above / "log/tally").touch(mode=0o600)
    (above / "log").chmod(0o755)
    given = {"log_origin": "log.example", "log_dir": above / "log", "log_key_file": private(tmp_path, "key")}
    assert load(tmp_path, **given).log_dir == above / "log"
    (above / opened).chmod(mode)
    with pytest.raises(errors.Terminal, match="DECKLOG_LOG_DIR: ") as caught:
        load(tmp_path, **given)
    assert told in str(caught.value)


def test_what_is_open_behind_a_closed_door_or_under_a_sticky_bit_does_no_harm(tmp_path: Path) -> None:
    """A folder nobody else can enter, in one where each may rename only what is his; and one that is made later."""
    above = tmp_path / "above"
    (above / "log/salts").mkdir(parents=True)
    (above / "log/salts").chmod(0o777)
    (above / "log").chmod(0o700)
    above.chmod(0o1777)
    given = {"log_origin": "log.example", "log_key_file": private(tmp_path, "key")}
    for name in ("log", "later"):
        assert load(tmp_path, **given, log_dir=above / name).log_dir == above / name


def test_that_everybody_may_put_another_folder_in_its_place_is_told(tmp_path: Path) -> None:
    """Who may write a folder above it, without the sticky bit; it is told which, and how to close it."""
    above = tmp_path / "above"
    (above / "log").mkdir(parents=True)
    for mode in (0o755, 0o1777):
        above.chmod(mode)
        assert str(above) not in exposure.replaceable(above / "log")
    above.chmod(0o777)
    assert exposure.replaceable(above / "log").endswith(f"may write {above} (mode 0777); run: chmod o-w {above}")


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner may write it, whatever its mode says."""
    (tmp_path / "log").mkdir(mode=0o700)
    given = {"log_origin": "log.example", "log_dir": tmp_path / "log", "log_key_file": private(tmp_path, "key")}
    us = os.geteuid()
    monkeypatch.setattr(exposure, "_ROOT", -1)
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    with pytest.raises(errors.Terminal, match=f"belongs to another user \\(uid {us}\\), who may write it"):
        load(tmp_path, **given)


def test_poison_is_admitted_of_topics_that_are_sequenced_and_of_no_other(tmp_path: Path) -> None:
    """A word that is none of them would leave the topic halted without a complaint: those that can be are listed."""
    moment = "2026-11-26T10:40:00Z"
    ours = load(tmp_path, topic_prefix="t", admitted_poison=f"t.git.v1={moment}, t.live.v1={moment}")
    assert set(ours.admitted) == {"t.git.v1", "t.live.v1"}
    for wrong in ("decklog.git.v1", "git", "t.state.v1", "t.dead-letter.v1", ""):
        with pytest.raises(errors.Terminal, match=r"t\.git\.v1, t\.") as caught:
            load(tmp_path, topic_prefix="t", admitted_poison=f"t.live.v1={moment},{wrong}={moment}")
        assert f"DECKLOG_ADMITTED_POISON: {wrong!r} is no topic that is sequenced" in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("postgres_api", "postgresql://me:secret@[::1/x"), ("log_tsa", "http://127.0.0.1:99999")],
)
def test_an_address_that_cannot_be_asked_is_refused_at_the_start(tmp_path: Path, setting: str, value: str) -> None:
    """A database's and the authority's: the variable is named, the password is not."""
    logins = {f"postgres_{part}": "postgresql://x@127.0.0.1/x" for part in ("writer", "projector", "api", "eraser")}
    values = {"kafka": "127.0.0.1:9092", "state_dir": tmp_path, "token_file": private(tmp_path, "token"), **logins}
    with pytest.raises(errors.Terminal, match=f"DECKLOG_{setting.upper()}: .*Write ") as caught:
        settings.load(AuditSettings, **values | {setting: value})
    assert "secret" not in str(caught.value)
