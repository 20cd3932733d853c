"""Every tamper is named by a detector that looks at what was tampered with: the table of acts and detectors.

`make test` does it on a small log, `make prove-tampers` on one of 100,000 leaves, and prints the table.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import typer.testing

from decklog.model import errors
from decklog.model.tlog import policy
from decklog.verifier import log, source
from services.audit.admin import audit_db
from tests import published_log
from tests import stack as stacks
from tests.tampers import acts, trail

LEAVES = int(os.environ.get("DECKLOG_TAMPER_LEAVES", "1500"))
TRUSTED = policy.of_keys([trail.SIGNER.verifier])


@pytest.fixture(scope="module")
def original(
    stack: stacks.Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[trail.Trail]:
    """The trail, whole."""
    made = asyncio.run(trail.make(stack, migrated_template, tmp_path_factory.mktemp("trail"), LEAVES))
    yield made
    for uri in made.databases:
        asyncio.run(stacks.drop_database(stack, uri))


@pytest.fixture
def copies(original: trail.Trail, stack: stacks.Stack, tmp_path: Path) -> Iterator[trail.Copies]:
    """Copies to tamper with."""
    made = trail.Copies(original, stack, tmp_path)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, Mapping[str, str]]]:
    """What each detector said of each act, printed at the end where somebody looks (`-s`)."""
    rows: dict[str, Mapping[str, str]] = {}
    yield rows
    if request.config.getoption("capture") == "no" and rows:
        print(f"\n\n{LEAVES:,} leaves\n\n{'what is done':40} {' '.join(f'{one:9}' for one in acts.DETECTORS)}")
        for name, told in rows.items():
            marks = ["-" if one not in told else "found" if told[one] else "nothing" for one in acts.DETECTORS]
            print(f"{name:40} {' '.join(f'{mark:9}' for mark in marks)}")
            print("".join(f"    {one}: {text.splitlines()[0][:150]}\n" for one, text in told.items() if text), end="")


def verified(at: trail.Copies) -> str:
    """What `decklog verify` finds in the export, with the payloads beside it."""
    given = source.Folder(at.export)
    wanted = log.Wanted(payloads=given.open if given.has_payloads else None, tiles=given.names("tile"))
    return "\n".join(str(one) for one in log.verify(given, TRUSTED, wanted).findings)


def audited(at: trail.Copies) -> str:
    """What `decklog admin audit-db` finds in the database; the replay of the projections only where there are some."""
    replay = [] if at.projected else ["--ledger-only"]
    options = ["--postgres", at.database or at.trail.databases[-1], "--log", str(at.trail.log), *replay]
    result = typer.testing.CliRunner().invoke(audit_db.app, options)
    return "" if result.exit_code == 0 else result.output


def witnessed(at: trail.Copies) -> str:
    """What a witness answers that cosigned the log before."""
    return trail.ask(at.witness, at.export)


def refused(at: trail.Copies) -> str:
    """Why the publisher does not sign."""
    published = published_log.Log(at.database, at.trail.log)
    try:
        asyncio.run(published.publish())
    except errors.Terminal as error:
        return str(error)
    return ""


ASK: Mapping[str, Callable[[trail.Copies], str]] = {
    acts.VERIFY: verified,
    acts.AUDIT: audited,
    acts.WITNESS: witnessed,
    acts.PUBLISHER: refused,
}


def test_an_untouched_trail_is_clean_to_all(copies: trail.Copies) -> None:
    """No detector cries wolf: the export, the database and the newest checkpoint are what was signed."""
    copies.copy_database()
    assert {name: ask(copies) for name, ask in ASK.items()} == dict.fromkeys(acts.DETECTORS, "")


@pytest.mark.parametrize("act", acts.ACTS, ids=lambda act: re.sub(r"[^a-z]+", "-", act.name))
def test_every_tamper_is_named(act: acts.Act, copies: trail.Copies, table: dict[str, Mapping[str, str]]) -> None:
    """Whoever looks at what was changed says what, and where; what nobody outside kept is known to go unseen."""
    act.do(copies)
    told = {name: ASK[name](copies) for name in (*act.told, *act.silent)}
    table[act.name] = told
    assert {name: told[name] for name in act.silent} == dict.fromkeys(act.silent, "")
    for name, words in act.told.items():
        assert words in told[name], told[name]
