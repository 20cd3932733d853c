"""The log's folder: whole files, private where they must be, one writer, and an honest error when the disk refuses."""

import os
import resource
import signal
import stat
import threading
from pathlib import Path

import pytest

from decklog import native
from decklog.model import errors
from services.audit.core import integration
from services.audit.publisher import folder

FILES = [
    integration.File("public/tile/0/x001/234", b"hashes"),
    integration.File("salts/entries/000", b"salts"),
    integration.File("public/checkpoint", b"note"),
]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=["C", "Python"])
def log(tmp_path, request, monkeypatch):
    if request.param == "Python":
        monkeypatch.setattr(native, "kernel", None)
    elif native.kernel is None:
        pytest.skip("decklog.native is not built here")
    with folder.LogFolder(tmp_path / "log").held():
        yield folder.LogFolder(tmp_path / "log")


def test_files_are_there_as_written_and_private_where_they_must_be(log):
    """Salts can be read by their owner alone, in a folder that nobody else can enter; nothing unfinished is left."""
    log.write(FILES)
    assert [log.read(file.path) for file in FILES] == [file.data for file in FILES]
    assert mode(log.path) == mode(log.path / "salts") == mode(log.path / "salts/entries") == 0o700
    assert mode(log.path / "salts/entries/000") == 0o600
    assert list((log.path / "unfinished").iterdir()) == []


def test_what_is_not_there_is_none(log):
    """Reading asks, it does not fail."""
    assert log.read("public/checkpoint") is None


def test_a_file_is_replaced_as_a_whole(log):
    """Writing again replaces; removing folders that do not exist is nothing."""
    log.write(FILES)
    log.write([FILES[2]._replace(data=b"new")])
    log.remove(["public/tile/0/x001/234.p", "public/tile/0"])
    assert log.read("public/checkpoint") == b"new"
    assert log.read(FILES[0].path) is None


def test_one_process_writes_at_a_time(log):
    """A second holder is told who it is waiting for; afterwards it may."""
    with pytest.raises(folder.Busy, match="another process"), folder.LogFolder(log.path).held():
        pass


def test_what_a_crash_left_is_removed(tmp_path):
    """Unfinished files are gone when the folder is taken again, finished ones stay."""
    log = folder.LogFolder(tmp_path / "log", failpoint=_crash("log.before_fsync", 2))
    with log.held():
        log.write(FILES[:1])
    with pytest.raises(Crash), log.held():
        log.write(FILES[1:])
    assert list((log.path / "unfinished").iterdir())
    with folder.LogFolder(log.path).held():
        assert list((log.path / "unfinished").iterdir()) == []
        assert log.read(FILES[0].path) == b"hashes"
        assert log.read(FILES[1].path) is None


def test_everything_is_synced_before_write_returns(log, monkeypatch):
    """Each file before it gets its name, then every folder whose name may not be on disk; once is enough."""
    synced, real = [], os.fsync

    def record(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(f"{log.path}"))
        real(descriptor)

    if native.kernel is not None:
        pytest.skip("tests/faults traces what C asks of the kernel")
    monkeypatch.setattr(os, "fsync", record)
    log.write(FILES)
    assert sorted(synced[:3]) == ["/unfinished/0", "/unfinished/1", "/unfinished/2"]
    folders = {"/public/tile/0/x001", "/public/tile/0", "/public/tile", "/public", "/salts/entries", "/salts", ""}
    assert set(synced[3:]) == folders
    synced.clear()
    log.write([integration.File("public/tile/0/x002/000", b"hashes"), FILES[2]])
    assert set(synced[2:]) == {"/public/tile/0/x002", "/public/tile/0", "/public"}


def test_a_disk_that_refuses_is_bad_weather(log):
    """A path that cannot be written names itself and what to check; the error is one that is tried again."""
    log.write([integration.File("public/tile", b"in the way")])
    with pytest.raises(errors.Transient, match=r"public/tile.*DECKLOG_LOG_DIR"):
        log.write(FILES)
    log.write([integration.File("public/other/000", b"in the way, too")])
    with pytest.raises(errors.Transient, match=r"public/other: .*DECKLOG_LOG_DIR"):
        log.write([FILES[2], integration.File("public/other", b"a file")])


def test_nothing_stays_open_whatever_is_refused(log):
    """Not what was written, not what was being written, not after a crash in between, and not of many files."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    log.write([integration.File(f"public/{number}", b"%d" % number) for number in range(300)])
    assert log.read("public/299") == b"299"
    (log.path / "unfinished" / "1").mkdir()
    with pytest.raises(errors.Transient, match="Is a directory"):
        log.write(FILES)
    (log.path / "unfinished" / "1").rmdir()
    with pytest.raises(Crash):
        folder.LogFolder(log.path, failpoint=_crash("log.before_fsync", 1)).write(FILES)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_whole_however_often_its_writing_is_interrupted(log):
    """A pipe that is read piece by piece, with a signal after each: some writes are short, some are made again."""
    path, data = str(log.path / "unfinished" / "0"), os.urandom(1 << 20)
    os.mkfifo(path)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    read = bytearray()

    def reader(writing):
        with open(path, "rb", buffering=0) as pipe:  # noqa: PTH123 (a path that blocks until somebody writes)
            while piece := pipe.read(5_000):
                read.extend(piece)
                signal.pthread_kill(writing, signal.SIGUSR1)

    thread = threading.Thread(target=reader, args=(threading.get_ident(),))
    thread.start()
    try:
        (descriptor,) = folder._written([(path, data, 0o600)])
        os.close(descriptor)
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert read == data


def test_a_disk_without_room_for_all_of_a_file_is_named_with_it(log):
    """A part of it is written, the rest is refused: nothing takes its place, and nothing stays open."""
    log.write(FILES)
    before = len(list(Path("/proc/self/fd").iterdir()))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(errors.Transient, match=r"unfinished/1: .*File too large"):
            log.write([FILES[0]._replace(data=b"other"), FILES[2]._replace(data=b"x" * 101)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (log.path / "unfinished" / "1").stat().st_size == 100
    assert [log.read(file.path) for file in FILES] == [file.data for file in FILES]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class Crash(Exception):
    """The process ends here."""


def _crash(name, times):
    left = [times]

    def failpoint(reached):
        if reached == name:
            left[0] -= 1
            if not left[0]:
                raise Crash(name)

    return failpoint
