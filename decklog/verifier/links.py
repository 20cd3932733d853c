"""From a checkpoint or a key that somebody kept to the log as it is now, also where its key was replaced meanwhile."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from decklog.model import merkle
from decklog.model.tlog import checkpoint, keys, note, policy, proofs, rotation
from decklog.verifier import proving, rotated, source


class Signed(NamedTuple):
    """A signed checkpoint."""

    note: note.Note
    tree: checkpoint.Checkpoint


class Hop(NamedTuple):
    """The key `rotation.beside` vouches for `rotation.vkey`: it signed the tree of `size` leaves, which says so."""

    rotation: rotation.Rotation
    size: int


class Continued(NamedTuple):
    """That a log goes on from a checkpoint, and over which rotations whoever signs now is vouched for."""

    old: checkpoint.Checkpoint
    new: checkpoint.Checkpoint
    hops: tuple[Hop, ...] = ()


def continues(given: source.Source, kept: bytes, trusted: policy.Policy, newest: bytes | None = None) -> Continued:
    """The kept checkpoint and the log's newest one, of which it is provably the beginning.

    `newest`: what the log showed as its newest one, where that was read already: a log may answer otherwise next time.

    Either may be signed by a key that is not given, if rotations in the log lead there from one that is.

    Raises Disproved if it is not so, or either is not vouched for; NotFound and Unavailable where the log cannot be
    read.
    """
    try:
        old = read(kept)
    except ValueError as error:
        raise proving.Disproved(f"the checkpoint that was kept is none: {error}", hint=_KEPT) from error
    try:
        new = read(proving.newest(given) if newest is None else newest)
    except ValueError as error:
        raise proving.Disproved(f"what is served as checkpoint is none: {error}", where=given.name) from error
    if old.tree.origin != new.tree.origin:
        raise proving.Disproved(f"they are of two logs, {old.tree.origin!r} and {new.tree.origin!r}", where=given.name)
    rotations = standing(given, new.tree)
    try:
        hops = _believed(given, trusted, rotations, old, new)
    except ValueError as error:
        raise proving.Disproved(f"a checkpoint is not to be believed: {error}", where=given.name) from error
    if old.tree.size > new.tree.size:
        text = f"the log shows {new.tree.size} leaves, and it had {old.tree.size} when the other checkpoint was signed"
        hint = "It was cut or restored, or this is an older copy of it: keep both checkpoints"
        raise proving.Disproved(text, where=given.name, hint=hint)
    if old.tree.size > 0:
        proving.growth(given, old.tree, new.tree)
    return Continued(old.tree, new.tree, tuple(hops))


_KEPT = "Name a file with a signed checkpoint, such as the one in a copy of the log, or what `curl URL/checkpoint` gave"


def explained(given: source.Source, trusted: policy.Policy, data: bytes) -> str:
    """What rotations of the log's key say to whoever has a key that did not sign it; empty where there are none."""
    try:
        new = read(data)
        rotations = standing(given, new.tree)
    except (ValueError, proving.Disproved, source.Pruned):
        return ""
    ended = (rotations.retired(str(key), new.tree.size) for key in trusted.logs)
    leaf = next((leaf for leaf in ended if leaf is not None), None)
    now = rotations.now
    if leaf is None or now is None:
        return ""
    try:
        hops = list(chain(given, trusted, rotations, new, ()))
    except (proving.Disproved, source.Pruned):
        hops = []
    said = f"this log's key was rotated: since leaf {leaf} yours signs no longer, the new key is {now.vkey}"
    if hops and hops[-1].rotation.vkey == now.vkey and policy.is_signed(new.note, keys.parse(now.vkey)):
        vouched = f"the key before it vouches for that in the checkpoint of {hops[-1].size} leaves"
        return f"{said}; {vouched}. Have the operator confirm it, and pass --vkey {now.vkey}"
    return f"{said}; but nothing that your key signed vouches for that. Ask the operator before you pass --vkey"


def read(data: bytes) -> Signed:
    """The signed checkpoint of some bytes, not verified. Raises note.Malformed, checkpoint.Malformed."""
    found = note.parse(data)
    return Signed(found, checkpoint.parse(found.text))


def standing(given: source.Source, tree: checkpoint.Checkpoint) -> rotation.Rotations:
    """The rotations that the log points to and that are in this tree, each proved by a few tiles.

    Those whose leaves are pruned cannot be, and nobody goes by them. Raises Disproved.
    """
    try:
        every = list(rotated.pointed(given.lines(source.ROTATIONS), tree.size))
    except rotated.Malformed as error:
        raise proving.Disproved(str(error), where=f"{given.name}/{source.ROTATIONS}") from error
    found = [one for one in every if _is_there(given, one, tree)]
    try:
        return rotation.of(found) if found == every else rotation.Rotations(tuple(found))
    except rotation.Broken as error:
        raise proving.Disproved(f"its key was rotated as nobody could: {error}", where=given.name) from error


def chain(
    given: source.Source,
    trusted: policy.Policy,
    rotations: rotation.Rotations,
    new: Signed,
    kept: Sequence[Signed],
) -> Iterator[Hop]:
    """The rotations in which a key that is given, or came of one, vouches for the next key."""
    known = {str(key) for key in trusted.logs}
    for one in rotations.all:
        if one.beside is None or one.beside not in known or one.vkey in known:
            continue
        key = keys.parse(one.beside)
        for signed in (*kept, *_signed(given, one.leaf)):
            if signed.tree.size > one.leaf and policy.is_signed(signed.note, key):
                _prove(given, one, signed.tree, new.tree.size)
                known.add(one.vkey)
                yield Hop(one, signed.tree.size)
                break


def _believed(
    given: source.Source, trusted: policy.Policy, rotations: rotation.Rotations, old: Signed, new: Signed
) -> list[Hop]:
    """Insist that both are signed by keys that are given, or that rotations lead to. Raises note.Unverified."""
    hops = list(chain(given, trusted, rotations, new, [old]))
    known = [*trusted.logs, *(keys.parse(hop.rotation.vkey) for hop in hops)]
    policy.of_rotated(trusted, known).open(new.note.to_bytes())
    # Whoever signs now signed a tree that says who did before.
    for signed in (old, new):
        vkeys = rotations.signers(signed.tree.size)
        if vkeys:
            policy.check_log(signed.note, rotation.parsed(vkeys))
        else:
            trusted.open_log(signed.note.to_bytes())
    return [hop for hop in hops if hop.rotation.vkey not in {str(key) for key in trusted.logs}]


def _is_there(given: source.Source, one: rotation.Rotation, tree: checkpoint.Checkpoint) -> bool:
    """Whether a rotation is proved to be in a tree; False where its leaf is pruned. Raises Disproved."""
    try:
        _prove(given, one, tree, tree.size)
    except (proving.Missing, source.Pruned):
        return False
    return True


def _prove(given: source.Source, one: rotation.Rotation, tree: checkpoint.Checkpoint, size: int) -> None:
    """Insist that a rotation is a leaf of a tree, by the tiles of the log of `size` leaves. Raises Disproved."""
    entry = proving.entry(given, one.leaf, size)
    hashes = proofs.inclusion(one.leaf, tree.size, proving.hashes(given, size))
    try:
        proofs.verify_inclusion(hashes, leaf=merkle.leaf_hash(entry), index=one.leaf, size=tree.size, root=tree.root)
    except proofs.Refused as error:
        raise proving.Disproved(
            f"the tree of {tree.size} leaves does not have the leaf {one.leaf} that is shown: {error}", where=given.name
        ) from error
    if rotated.told(one.leaf, entry) != one:
        raise proving.Disproved(f"leaf {one.leaf} is not the rotation that {source.ROTATIONS} says", where=given.name)


def _signed(given: source.Source, leaf: int) -> Iterator[Signed]:
    """The checkpoints that were signed with more leaves than that, the smallest first; lines that are none are left."""
    for line in given.lines(source.CHECKPOINTS):
        try:
            found = orjson.loads(line)
            if found["size"] > leaf:
                yield read(found["note"].encode())
        except (ValueError, KeyError, TypeError, AttributeError):  # all of ours are ValueErrors
            continue
