"""A witness's folder: its keys, and in SQLite what it cosigned last for each log. The two belong together.

A key whose store was lost or set back could sign a second history: so the store is made with the key, is bound to it,
and is never made anew for a key that has one.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from decklog.client import failures, settings
from decklog.model import failpoints
from decklog.model.tlog import keys, witnessing

ED25519, MLDSA44, STORE = "ed25519.pem", "mldsa44.pem", "store.sqlite"

_WAIT_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE witness (vkey TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE latest (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL, note BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
_LATEST = "SELECT size, root, time FROM latest WHERE origin = ?"
_NOTE = "SELECT note FROM latest WHERE origin = ?"
_SET = """
INSERT INTO latest (origin, size, root, time, note) VALUES (:origin, :size, :root, :time, :note)
ON CONFLICT (origin) DO UPDATE SET size = :size, root = :root, time = :time, note = :note
"""
_RESTORE = "Restore nothing older than what it cosigned last; without its store this witness needs a new name and key"


class Kept(NamedTuple):
    """What is stored with a cosignature: the tree and time, and the note as it is shown."""

    latest: witnessing.Latest
    note: bytes


def make(folder: Path, name: str, seeds: tuple[bytes, bytes]) -> None:
    """Make a witness: two keys (Ed25519 and ML-DSA-44, each from 32 random bytes) under one name, and an empty store.

    Raises Misconfigured where the folder cannot be made or is not new, or the name cannot be one.
    """
    if not keys.is_name(name):
        raise failures.Misconfigured(
            f"{name!r} cannot name a witness: no spaces, no +",
            where="--name",
            hint="Use a domain of yours, such as witness.example.org/1",
        )
    pems = {ED25519: keys.new_pem(seeds[0]), MLDSA44: keys.new_mldsa44_pem(seeds[1])}
    signers = [keys.cosigner_from_pem(pem, name) for pem in pems.values()]
    try:
        folder.mkdir(mode=0o700, parents=True)
        for file, pem in pems.items():
            _write(folder / file, pem)
        _make_store(folder / STORE, signers)
        for one in (folder, folder.absolute().parent):
            _sync(one)
    except (OSError, sqlite3.Error) as error:
        raise failures.Misconfigured(
            f"the witness cannot be made: {_reason(error)}",
            where=str(folder),
            hint="Name a new folder: keys are never overwritten, and a store is never emptied",
        ) from error


def load(folder: Path) -> list[keys.CosigningKey]:
    """The witness's keys, under the name in its store.

    Raises Misconfigured where one is missing or the store is not theirs, Unauthorised where others can read them, or
    write the store, Unavailable for a store that cannot be read.
    """
    with _opened(folder / STORE) as opened:
        bound = {row[0] for row in opened.execute("SELECT vkey FROM witness")}
    try:
        name = keys.parse(min(bound)).name
        found = [_key(folder / file, name) for file in (ED25519, MLDSA44)]
    except (ValueError, OSError) as error:
        raise failures.Misconfigured(f"no keys of a witness: {_reason(error)}", where=str(folder)) from error
    if {str(key.verifier) for key in found} != bound:
        raise failures.Misconfigured(
            "the keys are not those that the store belongs to", where=str(folder / STORE), hint=_RESTORE
        )
    return found


class Store:
    """What was cosigned last. Every method raises Unavailable where the disk refuses; nothing is half stored."""

    def __init__(self, folder: Path, failpoint: failpoints.Failpoint = failpoints.none) -> None:
        self._path = folder / STORE
        self._failpoint = failpoint

    def check_and_set(self, origin: str, decide: Callable[[witnessing.Latest], Kept]) -> None:
        """Ask what may follow what was cosigned last, and make it durable; nobody else can come in between.

        What `decide` raises leaves all as it was.
        """
        with _opened(self._path) as opened:
            opened.execute("BEGIN IMMEDIATE")  # other threads and processes wait here
            try:
                row = opened.execute(_LATEST, (origin,)).fetchone()
                kept = decide(witnessing.Latest() if row is None else witnessing.Latest(*row))
                size, root, time = kept.latest
                opened.execute(_SET, {"origin": origin, "size": size, "root": root, "time": time, "note": kept.note})
                self._failpoint("witness.before_commit")
                opened.execute("COMMIT")
            except BaseException:
                if opened.in_transaction:
                    opened.execute("ROLLBACK")
                raise
        self._failpoint("witness.after_commit")

    def note(self, origin: str) -> bytes | None:
        """The checkpoint that was cosigned last, with its cosignatures."""
        with _opened(self._path) as opened:
            row = opened.execute(_NOTE, (origin,)).fetchone()
        return None if row is None else bytes(row[0])


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The store; it is never made here. Raises Unavailable for what SQLite refuses."""
    if not path.is_file():
        raise failures.Misconfigured(
            "the store of this witness is missing",
            where=str(path),
            hint=f"`decklog witness init` makes one. {_RESTORE}",
        )
    for one in (path.parent, path):  # who may write the folder may put another store there
        settings.check_unwritable(one)
    try:
        with contextlib.closing(_connect(path)) as opened:
            yield opened
    except sqlite3.Error as error:
        raise failures.Unavailable(
            f"the store cannot be read or written: {error}",
            where=str(path),
            hint="Nothing was cosigned. Check the disk, and who may read it",
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_SECONDS, isolation_level=None
    )
    # A commit is on disk when it returns: the journal is deleted, and its folder synced after that.
    opened.execute("PRAGMA journal_mode = DELETE")
    opened.execute("PRAGMA synchronous = EXTRA")
    return opened


def _make_store(path: Path, signers: list[keys.CosigningKey]) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(_connect(path)) as opened:
        opened.executescript(f"BEGIN; {_SCHEMA}")
        opened.executemany("INSERT INTO witness VALUES (?)", [(str(one.verifier),) for one in signers])
        opened.execute("COMMIT")


def _key(path: Path, name: str) -> keys.CosigningKey:
    settings.check_private(path)
    return keys.cosigner_from_pem(path.read_bytes(), name)


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
