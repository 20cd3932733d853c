"""A witness's answers: each request against what was cosigned last, and the store moved before anybody is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from decklog.model.tlog import keys, witnessing
from decklog.witness import keeping


@dataclass(frozen=True, slots=True)
class Witness:
    """The logs that it follows (any key of a log will do), its own keys, its store, and the time in seconds."""

    logs: Sequence[keys.VerifierKey]
    signers: Sequence[keys.CosigningKey] = field(repr=False)
    store: keeping.Store
    now: Callable[[], int]

    def add_checkpoint(self, body: bytes) -> bytes:
        """The signature lines for a request. Raises Refusal with the protocol's answer, Unavailable for the store's."""
        asked = witnessing.parse(body)
        try:
            return self._add(asked)
        except witnessing.Refusal as refusal:
            refusal.origin = asked.origin
            raise

    def _add(self, asked: witnessing.Request) -> bytes:
        known = witnessing.known_keys(asked, self.logs)
        answer = bytearray()

        def decide(latest: witnessing.Latest) -> keeping.Kept:
            tree = witnessing.accept(asked, latest)
            time = max(self.now(), latest.time)
            lines = witnessing.cosign(asked, self.signers, time)
            answer.extend("".join(f"{line}\n" for line in lines).encode())
            shown = witnessing.cosigned(asked, known, lines)
            return keeping.Kept(witnessing.Latest(tree.size, tree.root, time), shown.to_bytes())

        self.store.check_and_set(asked.origin, decide)
        return bytes(answer)

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """The checkpoint that was cosigned last for the log whose name has this SHA-256, in hex."""
        origin = next((key.name for key in self.logs if witnessing.origin_hash(key.name) == origin_hash), None)
        return None if origin is None else self.store.note(origin)
