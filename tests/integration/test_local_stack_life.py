"""The local stack's life on real processes: however it is ended, nothing runs on, and it starts again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import folder, processes, status, supervisor
from tests import stack as stacks

pytestmark = pytest.mark.timeout(300)
COMMAND = (sys.executable, "-m", "deploy.local", "--profile", "test", "--state")
PARTS = ("kafka", "postgres", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[folder.Folder]:
    """A state folder that is stopped and removed at the end, whatever the test did to it."""
    found = folder.Folder(tmp_path / "state")
    yield found
    run(found, "clean")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[folder.Folder]:
    """The folder of a stack that tests leave running for the next one: to start one takes a dozen seconds of a core."""
    found = folder.Folder(tmp_path_factory.mktemp("lasting") / "state")
    yield found
    run(found, "clean")


def run(state: folder.Folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = (*COMMAND, str(state.path), *arguments)
    return subprocess.run(command, cwd=stacks.ROOT, capture_output=True, text=True, check=False, timeout=110)


def up(state: folder.Folder) -> str:
    done = run(state, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(state: folder.Folder, *options: str) -> "subprocess.Popen[str]":
    command = (*COMMAND, str(state.path), "up", *options)
    return subprocess.Popen(command, cwd=stacks.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def alive(state: folder.Folder) -> list[str]:
    """Every process that works in or speaks of the state folder, or of the place outside that belongs to it."""
    marks = (str(state.path), str(state.outside("x").parent))
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            seen = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(), str((entry / "cwd").readlink())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if int(entry.name) != os.getpid() and any(mark in text for mark in marks for text in seen):
            found.append(f"{entry.name} {seen[0]}")
    return found


def parts(state: folder.Folder) -> dict[str, status.Entry]:
    shown = status.read(state.status)
    return shown.parts if shown is not None else {}


def ready(state: folder.Folder, name: str) -> bool:
    return name in parts(state) and parts(state)[name].state == "ready"


MOMENTS: dict[str, Callable[[folder.Folder], bool]] = {
    "at once": lambda _state: True,
    "as the supervisor takes the folder": lambda state: state.lock.exists(),
    "while the database is being made": lambda state: (state.processes / "initdb.json").exists(),
    "while Kafka is being formatted": lambda state: (state.processes / "kafka-format.json").exists(),
    "when the database is ready": lambda state: ready(state, "postgres"),
    "when the API server starts": lambda state: "kube-apiserver" in parts(state),
    "when the last part starts": lambda state: "kube-controller-manager" in parts(state),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_leaves_nothing(state: folder.Folder, moment: str) -> None:
    """Interrupted at any moment, `up` ends with 130, every process is gone, and the next `up` works."""
    starting = start(state)
    stacks.eventually(lambda: MOMENTS[moment](state) or starting.poll() is not None)
    if starting.poll() is None:
        starting.send_signal(signal.SIGINT)
    shown = starting.communicate(timeout=60)[0]
    assert starting.returncode in {130, -signal.SIGINT}, shown
    stacks.eventually(lambda: not alive(state), 10)
    assert not state.env.exists()
    if "while" in moment:
        up(state)


def test_a_killed_up_leaves_nothing(state: folder.Folder) -> None:
    """Killing with -9 `up` itself while it starts things: the supervisor notices and stops them."""
    starting = start(state)
    stacks.eventually(lambda: ready(state, "postgres"))
    starting.kill()
    starting.communicate()
    stacks.eventually(lambda: not alive(state))


def test_stacks_that_start_at_once(lasting: folder.Folder, state: folder.Folder) -> None:
    """Two terminals on one folder make one stack; that of another folder shares no port and no process with it."""
    owner = subprocess.Popen(("sleep", "300"))
    starting = [start(lasting), start(lasting), start(state, "--owner", str(owner.pid))]
    shown = [one.communicate(timeout=110)[0] for one in starting]
    assert [one.returncode for one in starting] == [0, 0, 0], shown
    assert len([line for line in alive(lasting) if "--attached" in line]) == 1
    ports = [set(json.loads((one.path / "ports.json").read_text()).values()) for one in (lasting, state)]
    assert not ports[0] & ports[1]
    owner.kill()
    owner.wait()
    stacks.eventually(lambda: not alive(state))  # a test run that is killed leaves no stack behind
    assert run(lasting, "status").returncode == 0


def test_a_stack_lives_and_ends(lasting: folder.Folder) -> None:
    """Up, up again (the same processes), status, down, down again, up again on the same ports."""
    up(lasting)
    env, first = lasting.env.read_text(), parts(lasting)
    assert set(first) == set(PARTS)
    assert "already running" in up(lasting)
    assert parts(lasting) == first
    shown = run(lasting, "status")
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in PARTS)
    assert run(lasting, "down").stdout == "stopped\n"
    assert not alive(lasting)
    assert run(lasting, "down").stdout == "nothing was running\n"
    assert run(lasting, "status").returncode == 1
    up(lasting)
    assert lasting.env.read_text() == env


def test_a_crashed_server_is_started_again(lasting: folder.Folder) -> None:
    """Killing with -9 Kafka: it comes back by itself, and the status counts it."""
    up(lasting)
    before = parts(lasting)["kafka"].restarts
    os.kill(stacks.read(lasting.env).pid("kafka"), signal.SIGKILL)
    stacks.eventually(lambda: parts(lasting)["kafka"].restarts == before + 1 and ready(lasting, "kafka"), 60)


def test_a_held_part_stays_away_until_it_is_released(lasting: folder.Folder) -> None:
    """An outage on purpose: nothing restarts the part, and release waits until it serves."""
    up(lasting)
    assert run(lasting, "hold", "postgres").returncode == 0
    time_held = time.monotonic()
    stacks.eventually(lambda: time.monotonic() > time_held + 1)
    assert parts(lasting)["postgres"].state == "held"
    assert run(lasting, "release", "postgres").returncode == 0
    assert ready(lasting, "postgres")


def test_a_part_is_restarted_with_the_settings_that_can_be_read(lasting: folder.Folder) -> None:
    """Another process serves when the command returns; a line that sets nothing is refused before anything stops."""
    up(lasting)
    before = stacks.read(lasting.env).pid("postgres")
    lasting.added("postgres").write_text("nonsense\n")
    refused = run(lasting, "restart", "postgres")
    lasting.added("postgres").unlink()
    assert refused.returncode == 1
    assert "postgres.env, line 1" in refused.stderr
    assert stacks.read(lasting.env).pid("postgres") == before
    assert run(lasting, "restart", "postgres").stdout == "postgres is ready again\n"
    assert stacks.read(lasting.env).pid("postgres") != before
    assert ready(lasting, "postgres")


def test_a_killed_supervisor_takes_everything_with_it(lasting: folder.Folder) -> None:
    """Killing with -9 the supervisor: the kernel ends its children; `down` is content, and the next `up` works."""
    up(lasting)
    running = supervisor.holder(lasting)
    assert running is not None
    os.kill(running, signal.SIGKILL)
    stacks.eventually(lambda: not alive(lasting))
    assert run(lasting, "down").returncode == 0
    up(lasting)


def test_what_outlived_its_supervisor_is_ended(state: folder.Folder) -> None:
    """A recorded process that still runs is found by number and start time, and `down` ends it."""
    state.make()
    left = subprocess.Popen(("sleep", "300"), start_new_session=True)
    record = {"pid": left.pid, "started": processes.start_time(left.pid)}
    (state.processes / "kafka.json").write_text(json.dumps(record))
    assert run(state, "down").stdout == "stopped\n"
    assert left.wait(10) == -signal.SIGTERM


def test_a_stranger_with_the_number_of_a_dead_process_is_left_alone(state: folder.Folder) -> None:
    """The same pid with another start time is somebody else's process."""
    state.make()
    stranger = subprocess.Popen(("sleep", "300"), start_new_session=True)
    (state.processes / "kafka.json").write_text(json.dumps({"pid": stranger.pid, "started": "1"}))
    state.lock.write_text(str(stranger.pid))
    assert run(state, "down").stdout == "nothing was running\n"
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_server_that_cannot_start_is_explained(state: folder.Folder) -> None:
    """The message names the part and the log and shows its end; nothing is left running."""
    state.make()
    broken = state.part("kafka") / "data"
    broken.write_text("not a folder")
    done = run(state, "up")
    assert done.returncode == 1
    assert "kafka" in done.stderr
    assert str(state.path / "logs") in done.stderr
    assert not alive(state)
    broken.unlink()


def test_clean_leaves_a_strangers_folder_alone(tmp_path: Path) -> None:
    """`clean` removes only what a stack made."""
    (tmp_path / "mine").write_text("x")
    done = run(folder.Folder(tmp_path), "clean")
    assert done.returncode == 1
    assert "left as it is" in done.stderr
    assert (tmp_path / "mine").exists()
