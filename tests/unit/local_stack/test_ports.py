"""Ports stay with a state folder while they are free, and are never given twice."""

import itertools
import socket
from pathlib import Path

from deploy.local import folder, ports


def test_kept_ports_are_used_again() -> None:
    """A second start has the same addresses, so that a sourced env file stays true."""
    kept = {"kafka": 21000, "postgres": 21001}
    assert ports.choose(kept, kept, free=lambda _port: True, draw=lambda: 0) == kept


def test_a_port_that_somebody_took_is_replaced() -> None:
    """Only the taken one changes."""
    kept = {"kafka": 21000, "postgres": 21001}
    found = ports.choose(kept, kept, free=lambda port: port != 21000, draw=lambda: 25000)
    assert found == {"kafka": 25000, "postgres": 21001}


def test_the_same_port_is_not_given_twice() -> None:
    """A draw that repeats itself is drawn again, also against kept ports."""
    draws = itertools.chain([21000, 21000, 21001], itertools.repeat(21002))
    found = ports.choose(["a", "b", "c"], {}, free=lambda _port: True, draw=lambda: next(draws))
    assert sorted(found.values()) == [21000, 21001, 21002]


def test_ports_are_remembered_in_the_folder(tmp_path: Path) -> None:
    """Assigning twice gives the same; a listener that appears in between moves its port only."""
    first = assigned(tmp_path)
    assert assigned(tmp_path) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        second = assigned(tmp_path)
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def assigned(path: Path) -> dict[str, int]:
    with ports.assigned(folder.Folder(path), ["a", "b"]) as found:
        return found


def test_ports_of_a_stack_are_given_to_no_other_one(tmp_path: Path) -> None:
    """Though nobody listens there yet: both remember the same two, and only the one that comes first has them."""
    (tmp_path / "other").mkdir()
    kept = assigned(tmp_path)
    (tmp_path / "other" / "ports.json").write_text((tmp_path / "ports.json").read_text())
    with ports.assigned(folder.Folder(tmp_path), ["a", "b"]) as first:
        assert first == kept
        assert not set(assigned(tmp_path / "other").values()) & set(first.values())
