"""Trust policies (c2sp.org/tlog-policy): whose checkpoints are believed, and which witnesses must have seen them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from decklog.model.tlog import checkpoint, cosignature, keys, note

NONE = "none"
_ALLOWED = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class Malformed(ValueError):
    """A text that is no policy. `line` counts from 1."""

    def __init__(self, problem: str, *, line: int) -> None:
        super().__init__(problem if line == 0 else f"line {line}: {problem}")
        self.line = line


class NoQuorum(note.Unverified):
    """A checkpoint that too few witnesses have cosigned."""


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses the checkpoint when `threshold` of its members do."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Keys of logs by any of which a checkpoint must be signed, and the quorum of witnesses (`none`: nobody)."""

    logs: tuple[keys.VerifierKey, ...]
    witnesses: dict[str, keys.VerifierKey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = NONE
    urls: dict[str, str] = field(default_factory=dict)
    """Where a witness is asked (its submission prefix), for those of which it is said."""
    lines: dict[str, int] = field(default_factory=dict, compare=False)
    """On which line of the policy's file a witness stands, from 1."""
    each_kind: bool = False
    """Whether the newest checkpoint of a log must be signed with each kind (ML-DSA-44, Ed25519) of its keys here.

    The specification asks for any key of the log, and so do policies in files. Checkpoints that were signed before
    need one key only: the log may have begun with fewer.
    """

    def open(self, data: bytes) -> checkpoint.Checkpoint:
        """The checkpoint of a signed note, if this policy believes it.

        Raises:
            note.Malformed, checkpoint.Malformed: the bytes are no signed checkpoint.
            note.Unverified: no log of the policy signed it; NoQuorum: too few witnesses did.
        """
        found = self.open_log(data)
        signed = note.parse(data)
        if self.each_kind:
            for kind in {key.algorithm for key in self.logs if key.name == found.origin}:
                check_log(signed, [key for key in self.logs if (key.name, key.algorithm) == (found.origin, kind)])
        seen = self.seen(signed)
        if not self.met(seen):
            names = ", ".join(sorted(seen)) or "none"
            raise NoQuorum(f"the quorum {self.quorum!r} is not met; witnesses that cosigned it: {names}")
        return found

    def open_log(self, data: bytes) -> checkpoint.Checkpoint:
        """The checkpoint of a note that one of the logs signed, whether or not any witness did. Raises as `open`."""
        signed = note.parse(data)
        found = checkpoint.parse(signed.text)
        known = [key for key in self.logs if key.name == found.origin]
        if not known:
            raise note.Unverified(f"no key is given for the log {found.origin!r}")
        check_log(signed, known)
        return found

    def seen(self, signed: note.Note) -> set[str]:
        """The witnesses that cosigned a checkpoint. Raises note.Unverified for a line that only says so."""
        return {name for name, key in self.witnesses.items() if cosignature.verify(signed, key)}

    def met(self, seen: set[str]) -> bool:
        """Whether a checkpoint that these witnesses cosigned has the quorum."""
        return self._met(self.quorum, seen)

    def _met(self, name: str, seen: set[str]) -> bool:
        if name == NONE or name in seen:
            return True
        group = self.groups.get(name)
        return group is not None and sum(self._met(one, seen) for one in group.members) >= group.threshold


class Witnessed(NamedTuple):
    """Who of a policy's witnesses cosigned a checkpoint, in the order of the policy; `asked`: how many it has."""

    names: tuple[str, ...]
    asked: int
    quorum: str


def witnessed(given: Policy, signed: note.Note) -> Witnessed:
    """The witnesses of a checkpoint that the policy believes. Raises note.Unverified."""
    seen = given.seen(signed)
    return Witnessed(tuple(name for name in given.witnesses if name in seen), len(given.witnesses), given.quorum)


def check_log(signed: note.Note, known: Sequence[keys.VerifierKey]) -> None:
    """Insist that one of a log's keys signed, as notes are signed or (ML-DSA-44) as a cosigner does.

    Raises note.Unverified: none did, or a line says that it is of one of them and is not.
    """
    plain = [key for key in known if key.algorithm is keys.Algorithm.ED25519]
    timed = [key for key in known if key.algorithm is not keys.Algorithm.ED25519]
    cosigned = [key for key in timed if cosignature.verify(signed, key)]
    if not cosigned or any(signed.by(key) for key in plain):
        note.open_with(signed, plain)


def is_signed(signed: note.Note, key: keys.VerifierKey) -> bool:
    """Whether one of a log's keys signed a checkpoint; a line that only says so counts as none."""
    try:
        check_log(signed, [key])
    except note.Unverified:
        return False
    return True


def of_rotated(given: Policy, known: Sequence[keys.VerifierKey]) -> Policy:
    """The same rule, which believes these keys of logs: those that are given, and those that rotations lead to."""
    return replace(given, logs=tuple(known))


def of_keys(known: Sequence[keys.VerifierKey]) -> Policy:
    """The policy that believes these logs without any witness, if each kind of key that is given for one signed."""
    return Policy(tuple(known), each_kind=True)


def parse(data: bytes) -> Policy:
    """The policy of a file. Raises Malformed, naming the line."""
    if not _ALLOWED.fullmatch(data):
        raise Malformed("a policy holds no control characters but tabs and line ends", line=0)
    reading = _Reading()
    # Octets beyond ASCII are opaque to the specification: Latin-1 keeps each as it is.
    for number, line in enumerate(data.decode("latin-1").split("\n"), start=1):
        items = [item for item in re.split(r"[ \t]+", line) if item]
        if items and not items[0].startswith("#"):
            try:
                reading.line(items, number)
            except ValueError as error:
                raise Malformed(str(error), line=number) from error
    if reading.quorum is None:
        raise Malformed("there is no line `quorum NAME`; `quorum none` asks for no witness", line=0)
    return Policy(
        tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum, reading.urls, lines=reading.lines
    )


class _Reading:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self.logs: list[keys.VerifierKey] = []
        self.witnesses: dict[str, keys.VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.urls: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.quorum: str | None = None
        self._taken: set[str] = set()

    def line(self, items: list[str], number: int) -> None:
        match items:
            case ["log", key, *url] if len(url) <= 1:
                self.logs.append(_distinct(_key(key), self.logs))
            case ["witness", name, key, *url] if len(url) <= 1:
                self.witnesses[self._new(name)] = _distinct(_cosigner(key), self.witnesses.values())
                self.urls |= zip([name], url, strict=False)
                self.lines[name] = number
            case ["group", name, count, *members] if members:
                self.groups[self._new(name)] = Group(_threshold(count, len(members)), tuple(self._take(members)))
            case ["quorum", name]:
                self._set_quorum(name)
            case _:
                raise ValueError(f"`{items[0]}` begins no line of a policy, or has too few or too many words")

    def _set_quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise ValueError("there is a second quorum")
        if name != NONE:
            self._known(name)
        self.quorum = name

    def _new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ValueError(f"the name {name!r} is taken")
        return name

    def _known(self, name: str) -> str:
        if name not in self.witnesses and name not in self.groups:
            raise ValueError(f"{name!r} is not defined before")
        return name

    def _take(self, members: list[str]) -> Iterator[str]:
        for name in members:
            if self._known(name) in self._taken:
                raise ValueError(f"{name!r} is already the member of a group")
            self._taken.add(name)
            yield name


def _threshold(count: str, members: int) -> int:
    words = {"all": members, "any": 1}
    if count not in words and not _COUNT.fullmatch(count):
        raise ValueError("a group asks for `all`, `any` or a number of its members")
    threshold = words[count] if count in words else int(count)
    if threshold > members:
        raise ValueError(f"a group of {members} cannot ask for {threshold}")
    return threshold


def _key(text: str) -> keys.VerifierKey:
    try:
        return keys.parse(text.encode("latin-1").decode())
    except UnicodeDecodeError as error:
        raise ValueError("the name of a key is UTF-8") from error


def _cosigner(text: str) -> keys.VerifierKey:
    key = _key(text)
    if key.algorithm is keys.Algorithm.ED25519:
        raise ValueError("this key signs notes; a witness has a key that cosigns (type 04 or 06)")
    return key


def _distinct(key: keys.VerifierKey, others: Iterable[keys.VerifierKey]) -> keys.VerifierKey:
    if any(key.public == other.public for other in others):
        raise ValueError("the same public key is given twice")
    return key
