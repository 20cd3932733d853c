"""Changing the key that signs the published log, decided: what is asked for, and what the ledger makes of it.

The change is a leaf behind its request, so that auditors without payloads read it, too. It is in force for every tree
that holds that leaf (`decklog.model.tlog.rotation`).
"""

import enum
from collections.abc import Collection, Sequence

from decklog.events.v1 import control_pb2
from decklog.model.tlog import keys, rotation
from services.audit.core import orders

MAX_REASON = 1_000
"""Characters."""


class Step(enum.StrEnum):
    """What can be asked for."""

    BEGIN = "begin"
    """A new key signs beside the old one."""
    FINISH = "finish"
    """The new key alone signs from now on."""
    ABORT = "abort"
    """The old key alone goes on to sign."""


def request(
    step: Step,
    held: Sequence[str],
    rotations: rotation.Rotations,
    served: tuple[int, Collection[str]],
) -> control_pb2.KeyRotationRequested:
    """The request for a step, without who asks and why.

    `held`: verifier keys of the keys that this process has, the current one first; `served`: size of the checkpoint
    that is served, and the keys of those that signed it. Raises Refused, with what to do first.
    """
    now = rotations.now
    if step is Step.BEGIN:
        return _begin(held, rotations)
    if now is None or now.beside is None:
        raise orders.Refused("no overlap of two keys is running; `decklog ledger rotate` begins one")
    if step is Step.ABORT:
        if now.beside not in held:
            raise orders.Refused(
                f"audit does not have {rotation.label(now.beside)}, which would sign alone: name its file in "
                "DECKLOG_LOG_KEY_FILE, and start audit again"
            )
        return control_pb2.KeyRotationRequested(vkey=now.beside, retired=now.vkey)
    size, signed = served
    # The old key vouches for the new one there; one that is lost cannot, and must not keep the log in an overlap.
    needed = {now.vkey, *({now.beside} & {*held})}
    if size <= now.leaf or not needed <= {*signed}:
        raise orders.Refused(
            f"no checkpoint is served yet that holds leaf {now.leaf} and both keys signed; the next leaf brings one, "
            "such as `decklog app sync NAME --dry-run` makes; `decklog status` says if a key is not there"
        )
    return control_pb2.KeyRotationRequested(vkey=now.vkey, retired=now.beside)


def leaf(order: control_pb2.KeyRotationRequested, leaf: int, rotations: rotation.Rotations) -> rotation.Rotation:
    """What the rotation leaf `leaf` behind a request says. Raises Refused."""
    if len(order.reason) > MAX_REASON:
        raise orders.Refused(f"its reason is longer than {MAX_REASON} characters")
    found = rotation.Rotation(leaf, order.vkey, order.beside or None)
    try:
        named = rotation.parsed(found.signers)
        rotations.then(found)
    except (keys.Malformed, rotation.Broken) as error:
        raise orders.Refused(str(error)) from error
    if len({one.name for one in named}) > 1 or any(one.algorithm is not keys.Algorithm.ED25519 for one in named):
        raise orders.Refused("it names keys that do not sign one log: Ed25519, under the log's name")
    return found


def _begin(held: Sequence[str], rotations: rotation.Rotations) -> control_pb2.KeyRotationRequested:
    now = rotations.now
    current = held[0] if now is None else now.vkey
    if now is not None and now.beside is not None:
        raise orders.Refused(f"an overlap of two keys has been running since leaf {now.leaf}: finish it, or abort it")
    fresh = [one for one in held if one != current]
    if current not in held or not fresh:
        raise orders.Refused(
            "audit has no second key: make one (`decklog ledger keygen FILE`), name it in DECKLOG_LOG_NEXT_KEY_FILE, "
            "and start audit again"
        )
    try:
        rotations.then(rotation.Rotation(rotations.now.leaf + 1 if rotations.now else 0, fresh[0], current))
    except rotation.Broken as error:
        raise orders.Refused(f"{error}: make a new one") from error
    return control_pb2.KeyRotationRequested(vkey=fresh[0], beside=current)
