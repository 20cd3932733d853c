"""A publisher under strace: what it asks of the kernel for its log's folder, and one of these calls refused.

Exactly one: the publisher runs in one thread (strace counts for each thread apart), strace counts the calls that name a
path of the log or a descriptor of one, and nothing else, and says which call it has tampered with. Each publisher is
forked from a process that has imported everything, for that takes longer than to publish.
"""

import multiprocessing
import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests import publisher_process
from tests.publisher_process import Ended

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([publisher_process.__name__])
_SECONDS = 60
KILL = "signal=KILL"


class Call(NamedTuple):
    """A call for the log's folder: its name, the how many-th of this name it is, and the path that it is about."""

    name: str
    number: int
    path: str


class Outcome(NamedTuple):
    """How a publisher ended (None: it was killed), and what strace saw."""

    ended: Ended | None
    trace: list[str]


def calls(uri: str, path: Path, how: str) -> list[Call]:
    """Every call that a publisher makes for its log's folder while nothing is refused."""
    found, counted = list[Call](), dict[str, int]()
    outcome = _run(uri, path, how, "-e", "trace=all")
    assert outcome.ended == Ended("", []), outcome
    for line in outcome.trace:
        paths = _paths(line, path)
        if paths:
            name = line.partition("(")[0]
            counted[name] = counted.get(name, 0) + 1
            found.append(Call(name, counted[name], paths[-1]))
    return found


def refuse(uri: str, path: Path, how: str, call: Call, fault: str, paths: Iterable[str]) -> Outcome:
    """Run a publisher of whose calls one fails, or kills it. `paths` are all of the log that it makes calls for."""
    only = [option for one in paths for option in ("-P", one)]
    inject = f"inject={call.name}:{fault}:when={call.number}"
    outcome = _run(uri, path, how, *only, "-e", f"trace={call.name}", "-e", inject)
    last = [line for line in outcome.trace if line.startswith(call.name)][call.number - 1]
    assert _paths(last, path)[-1:] == [call.path], (call, last)
    if fault == KILL:
        assert outcome.ended is None, (call, outcome)
    else:
        assert [line for line in outcome.trace if "(INJECTED)" in line] == [last], (call, outcome.trace)
    return outcome


def _paths(line: str, log: Path) -> list[str]:
    """Of the log, in the order in which a call names them: as texts, and of descriptors."""
    beside = '(?:>, "([^"]+)")?' if line.startswith("unlinkat") else "()"
    found = re.findall(rf'[<"]({re.escape(str(log))}[^>"]*){beside}', line)
    return ["/".join(filter(None, one)) for one in found]


def _run(uri: str, path: Path, how: str, *options: str) -> Outcome:
    ours, theirs = _FORKS.Pipe()
    publisher = _FORKS.Process(target=publisher_process.when_told, args=(uri, str(path), how, theirs))
    publisher.start()
    theirs.close()
    trace = path.with_name("trace")
    strace = ("strace", "-y", "-o", str(trace), "-p", str(publisher.pid), *options)
    with ours, subprocess.Popen(strace, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        assert "attached" in said, said
        ours.send(None)
        try:
            ended = ours.recv() if ours.poll(_SECONDS) else None
        except EOFError:
            ended = None
        publisher.join(_SECONDS)
    assert publisher.exitcode == (-signal.SIGKILL if ended is None else 0)
    return Outcome(ended, trace.read_text().splitlines())
