"""Orders to the ledger itself as records, and a ledger in memory that takes them: what the sequencer's core decides."""

from decklog.adapters.memory import ledger as memory
from decklog.model import receipt
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from tests import sequenced

CONTROL = f"{sequenced.PREFIX}.control.v1"
AUDIT = "/decklog/0f5e/audit/api"
KEY = "@ledger/@ledger"


def order(message, offset):
    """A record that tells the ledger to do something."""
    event = sequenced.event(message=message, source=AUDIT, key=KEY)
    return sequenced.record(event, offset=offset, topic=CONTROL, key=KEY)


class Ledger:
    """A ledger in memory and what is decided on top of it."""

    def __init__(self):
        self.store = memory.MemoryLedger()
        self.standing = sequencing.Standing(
            head=self.store.head, positions={}, incarnations={sequenced.GIT: "a", CONTROL: "b"}
        )

    def take(self, *records):
        rules = examination.rules("kafka", sequenced.PREFIX)
        draft = sequencing.Draft(self.standing, rules=rules, now_us=sequenced.NOW_US)
        draft.learn(self.store.known)
        examined = [examination.examine(record, rules, sequenced.NOW_US) for record in records]
        draft.add(examined, b"".join(bytes([number]) * receipt.DRAWN_BYTES for number in range(len(records))))
        batch = draft.batch()
        self.store.append(batch.addition)
        self.standing = self.standing.after(batch.addition)
        return batch

    def kinds(self):
        return [receipt.parse(entry.receipt).kind.value for entry in self.store.entries]
