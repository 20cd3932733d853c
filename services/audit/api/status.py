"""Is the record complete and up to date? Each rung of the ladder, and what it is behind the one before."""

import asyncio
from collections import Counter
from typing import Any

from fastapi import APIRouter, Response

from decklog.model import errors, topics
from decklog.model.tlog import policy
from decklog.ports import stream
from services.audit.api import answering, context, models, statements, tlog
from services.audit.api.context import Given
from services.audit.core import vouching

router = APIRouter(tags=["operation"])

KAFKA_SECONDS = 3.0


@router.get("/status", responses={200: {"model": models.Status}})
async def get_status(given: Given) -> Response:
    """How far the ledger is behind Kafka and the projections behind the ledger; when each service last spoke."""
    return answering.json(await standing(given))


async def standing(given: context.Context) -> dict[str, Any]:
    """What `get_status` answers with."""
    # From Kafka up: read the other way round, a record sequenced in between would count on no rung as not there yet.
    lag, waiting = await _lag(given)
    head = await given.database.row(statements.RUNGS)
    assert head is not None  # noqa: S101 (the migration puts both rows there)
    speakers = await given.database.fetch(statements.SPEAKERS)
    return {
        "rungs": [
            {"name": "sequenced", "size": head["size"], "behind": sum(lag.values())},
            {"name": "projected", "size": head["next_leaf"], "behind": head["size"] - head["next_leaf"]},
            *await _published(given, head["size"]),
        ],
        "topics": [{"topic": topic, "behind": behind} for topic, behind in sorted(lag.items())],
        "services": [{"name": one["service"], **{k: one[k] for k in _SPOKEN}} for one in speakers],
        "notices": await given.database.fetch(statements.NOTICE_COUNTS),
        "unplaced": head["unplaced"],
        "waiting": {**given.readiness.troubles, **given.readiness.reasons, **waiting},
    }


async def _published(given: context.Context, size: int) -> list[dict[str, Any]]:
    """The rungs of the published log; none where none is published."""
    if given.log is None:
        return []
    served = await asyncio.to_thread(tlog.served_size, given.log)
    rungs = [{"name": "published", "size": served, "behind": max(0, size - served)}]
    if given.log_policy is not None:
        witnessed = await _witnessed(given, given.log_policy, served)
        rungs.append({"name": "witnessed", "size": witnessed, "behind": max(0, served - witnessed)})
    if given.log_stamped:
        anchored = int(await given.database.value(statements.ANCHORED) or 0)
        rungs.append({"name": "anchored", "size": anchored, "behind": max(0, served - anchored)})
    return rungs


async def _witnessed(given: context.Context, rule: policy.Policy, served: int) -> int:
    """Leaves in the newest served checkpoint that the quorum has cosigned."""
    named = {key.label: name for name, key in rule.witnesses.items()}
    for row in await given.database.fetch(statements.COSIGNED, served):
        if rule.met({named[label] for label in row["cosigners"] if label in named}):
            kept = [vouching.Cosigned(*one) for one in await given.database.fetch(statements.COSIGNATURES, row["size"])]
            good = vouching.good(kept, tlog.witness_keys(rule))
            if rule.met({named[label] for label in good if label in named}):
                return int(row["size"])
    return 0


_SPOKEN = ("events", "last_leaf", "last_us")


async def _lag(given: context.Context) -> tuple[Counter[str], dict[str, str]]:
    """Records per topic that are not sequenced yet; empty, with the reason, where Kafka does not say.

    A partition of which nothing is sequenced yet has no position: it is read from its beginning.
    """
    positions = await given.database.fetch(statements.POSITIONS)
    known = {stream.TopicPartition(one["topic"], one["partition"]): one["next_offset"] for one in positions}
    partitions = {
        stream.TopicPartition(topic.name(given.prefix), number)
        for topic in topics.SEQUENCED
        for number in range(topic.partitions)
    }
    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            ends = await given.positions.end_offsets(partitions | known.keys())
    except (errors.DecklogError, TimeoutError) as error:
        return Counter(), {"kafka": str(error) or "it does not answer"}
    behind: Counter[str] = Counter()
    for where, end in ends.items():
        behind[where.topic] += max(0, end - known.get(where, 0))
    return behind, {}
