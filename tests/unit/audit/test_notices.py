"""Notices: what the sequencer warns of can be read from the ledger again, and nothing else is said."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from decklog.model import merkle, receipt, record_headers
from decklog.ports import ledger, stream
from decklog.runtime import names
from services.audit.core import leaves, rows, sequencing
from services.audit.core import sequencing_examine as examination
from services.audit.core.leaf import LATE
from services.audit.core.projections import notices, speakers
from services.audit.core.view import View
from tests import audit_leaves as some
from tests import sequenced

DAY_US = 24 * 3600 * 1_000_000
RULES = examination.rules("cluster", sequenced.PREFIX)
RIGHT = sequenced.message(sequenced.event(0)).partition
ALERTS = Path("deploy/prometheus/alerts.yaml")


def good(number: int, offset: int) -> stream.Record:
    """An event as it must be."""
    return sequenced.record(sequenced.event(number), offset=offset)


def misplaced(number: int, offset: int) -> stream.Record:
    """An event on a partition that its key does not belong to."""
    return sequenced.record(sequenced.event(number), offset=offset, partition=(RIGHT + 1) % 12)


def ahead(number: int, offset: int) -> stream.Record:
    """An event from the day after tomorrow."""
    return sequenced.record(sequenced.event(number, time_us=sequenced.NOW_US + 2 * DAY_US), offset=offset)


def junk(number: int, offset: int) -> stream.Record:  # noqa: ARG001 (every kind has the same shape)
    """A record that is no event."""
    return stream.Record(sequenced.GIT, RIGHT, offset, 0, b"infrastructure", b"junk", record_headers.NONE)


def contradiction(number: int, offset: int) -> stream.Record:
    """The id of an event with other bytes."""
    known = sequenced.event(number)
    return sequenced.record(known._replace(data=known.data + b"\x0a\x01x"), offset=offset)


def keyless(number: int, offset: int) -> stream.Record:
    """An event that came without a key."""
    return good(number, offset)._replace(key=None)


KINDS = (good, misplaced, ahead, junk, contradiction, keyless)


def decided(records: list[stream.Record]) -> sequencing.Batch:
    """The batch that a sequencer makes of them."""
    standing = sequencing.Standing(
        head=ledger.Head(frontier=merkle.Frontier(), recorded_at=0), positions={}, incarnations={sequenced.GIT: "one"}
    )
    draft = sequencing.Draft(standing, rules=RULES, now_us=sequenced.NOW_US)
    examined = [examination.examine(record, RULES, sequenced.NOW_US) for record in records]
    draft.add(examined, bytes(receipt.DRAWN_BYTES * len(examined)))
    return draft.batch()


def noticed(batch: sequencing.Batch) -> list[rows.Notice]:
    """What the fold says of its leaves."""
    values = {leaf: value for leaf, _, value, _ in batch.addition.leaves.payloads}
    found: list[rows.Notice] = []
    for index, text in enumerate(batch.addition.leaves.receipts):
        leaf = leaves.read(index, text, values.get(index))
        found += [row for row in notices.fold(View(), leaf) if isinstance(row, rows.Notice)]
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(1, 2)), max_size=12))
def test_the_record_tells_again_what_the_sequencer_warned_of(told) -> None:
    """Leaf, place and reason of every alert are those of a notice, and there is no other notice."""
    offset, records = 0, []
    for make, number, step in told:
        offset += step  # two at a time leave a gap
        records.append(make(number, offset))
    batch = decided(records)
    assert [
        (row.leaf, row.topic, row.partition, row.record_offset, row.reason, _notice(row.kind)) for row in noticed(batch)
    ] == [
        (alert.leaf, alert.where.topic, alert.where.partition, alert.offset, alert.reason, alert.notice)
        for alert in batch.alerts
        if not _is_odd_conflict(alert, batch)
    ]


def _notice(kind: str) -> sequencing.Notice:
    odd = {"partition": sequencing.Notice.ODD, "clock": sequencing.Notice.ODD}
    return odd.get(kind) or sequencing.Notice(kind)


def _is_odd_conflict(alert: sequencing.Alert, batch: sequencing.Batch) -> bool:
    """An odd event that was sent twice is a duplicate or a conflict first of all."""
    kind = receipt.parse(batch.addition.leaves.receipts[alert.leaf]).kind
    return alert.notice is sequencing.Notice.ODD and kind is not receipt.Kind.EVENT


def test_a_word_said_too_late_is_a_notice() -> None:
    """What a replaced member said is listed with what else was not as it must be."""
    late = some.leaf(3, None, kind=LATE, log="t.apply.v1/4", offset=9)
    (row,) = notices.fold(View(), late)
    assert (row.kind, row.topic, row.partition, row.record_offset) == ("late", "t.apply.v1", 4, 9)


def test_a_gap_that_says_nothing_is_a_notice_and_stops_nobody() -> None:
    """No sequencer writes one; who has its password may, and every projector would end there for ever."""
    bare = receipt.encode(receipt.Receipt(kind=receipt.Kind.GAP, recorded_at=sequenced.NOW_US))
    (row,) = notices.fold(View(), leaves.read(0, bare, None))
    assert (row.kind, row.reason) == ("gap", "it does not say of which offsets")


def test_an_erased_event_stays_noticed() -> None:
    """The receipt alone decides, so an erasure and a rebuild change no notice."""
    (text,) = decided([misplaced(0, 0)]).addition.leaves.receipts
    (row,) = notices.fold(View(), leaves.read(0, text, None))
    assert row.kind == "partition"


RULES_OF_ALERTS = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES_OF_ALERTS, ids=lambda rule: rule.get("alert") or rule["record"])
def test_alerts_ask_for_metrics_that_exist(rule) -> None:
    """A renamed metric would silence its alert."""
    known = {value for name, value in vars(names).items() if name.startswith("METRIC_")}
    known |= {one["record"] for one in RULES_OF_ALERTS if "record" in one}
    asked = {
        word
        for word in rule["expr"].replace("(", " ").replace(")", " ").replace("{", " ").replace("[", " ").split()
        if "decklog_" in word
    }
    assert asked
    assert asked <= known
    if 'notice="' in rule["expr"]:
        assert rule["expr"].split('notice="')[1].split('"')[0] in {one.value for one in sequencing.Notice}


def test_prometheus_fires_what_is_new_and_is_silent_again() -> None:
    """Also of what audit counts before it is looked at for the first time, by Prometheus' own test of rules."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH (it comes with Prometheus)")
    done = subprocess.run(
        [promtool, "test", "rules", "alerts.test.yaml"], cwd=ALERTS.parent, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_a_clock_ahead_does_not_hide_a_silence() -> None:
    """Whoever says that it is the day after tomorrow was last heard when its event was recorded."""
    ahead_of_time = some.leaf(0, None, source="/decklog/i/ingest/dev", time_us=some.START + 2 * DAY_US)
    (row,) = speakers.fold(View(), ahead_of_time)
    assert isinstance(row, rows.Speaker)
    assert row.last_us == some.START
