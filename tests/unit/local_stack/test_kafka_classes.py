"""Java's class-data archive goes from the stack that wrote it to the cache of all, once."""

from pathlib import Path

from deploy.local import kafka_classes


def archive(tmp_path: Path) -> kafka_classes.Archive:
    return kafka_classes.Archive(tmp_path / "cached.jsa", tmp_path / "fresh.jsa")


def test_the_first_start_has_it_written_and_later_ones_use_it(tmp_path: Path) -> None:
    """What a clean stop wrote is what the next start is given."""
    found = archive(tmp_path)
    assert found.options()[0] == f"-XX:ArchiveClassesAtExit={found.fresh}"
    found.fresh.write_bytes(b"classes")
    found.publish()
    assert found.options()[0] == f"-XX:SharedArchiveFile={found.cached}"
    assert [path.name for path in tmp_path.iterdir()] == ["cached.jsa"]


def test_a_second_stack_does_not_replace_it(tmp_path: Path) -> None:
    """A running Java may have mapped the first one."""
    found = archive(tmp_path)
    found.cached.write_bytes(b"first")
    found.fresh.write_bytes(b"second")
    found.publish()
    assert found.cached.read_bytes() == b"first"
    assert not found.fresh.exists()


def test_a_stop_that_wrote_nothing_publishes_nothing(tmp_path: Path) -> None:
    """A killed broker leaves no archive."""
    archive(tmp_path).publish()
    assert not list(tmp_path.iterdir())
