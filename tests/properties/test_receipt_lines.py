"""Receipts at a glance against the parser: nothing passes that is no receipt, and what is read is what it says."""

import hypothesis
from hypothesis import strategies

from decklog.model import receipt, receipt_lines
from tests import log_files
from tests.properties.test_receipt import receipts

PLAIN = log_files.receipts(3)


def as_parsed(entry):
    said = receipt.parse(entry)
    return said.commitment.hex().encode(), b"%d" % said.length, b"%d" % said.recorded_at


@hypothesis.given(receipts())
def test_what_is_taken_at_a_glance_is_what_the_receipt_says(given):
    """Any receipt: passed over, or read as the parser reads it."""
    entry = receipt.encode(given)
    assert receipt_lines.event(entry) in (None, as_parsed(entry) if given.commitment is not None else None)


@hypothesis.given(strategies.integers(0, 2), strategies.data())
def test_a_changed_receipt_is_not_taken_unless_it_is_one(number, data):
    """Bytes changed, taken out or put in: what is still taken, alone or among others, is a canonical receipt."""
    entry = PLAIN[number]
    first = data.draw(strategies.integers(0, len(entry) - 1))
    end = data.draw(strategies.integers(first, min(len(entry), first + 4)))
    changed = entry[:first] + data.draw(strategies.binary(max_size=4)) + entry[end:]
    together = receipt_lines.events([PLAIN[0], changed, PLAIN[2]])
    assert (together is None) == (receipt_lines.event(changed) is None)
    if together is not None:
        assert together[1] == receipt_lines.event(changed) == as_parsed(changed)


def test_plain_receipts_are_taken():
    """What the sequencer writes for most events is: or all would be read the slow way."""
    assert receipt_lines.events(PLAIN) == [as_parsed(entry) for entry in PLAIN]


def test_two_receipts_in_one_entry_are_not_two():
    """An entry with a line end between two receipts is neither."""
    assert receipt_lines.events([PLAIN[0] + b"\n" + PLAIN[1]]) is None
    assert receipt_lines.events([PLAIN[0] + b"\n" + PLAIN[1], b""]) is None
