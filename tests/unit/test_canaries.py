"""The search for planted secrets finds them in every form in which one may leave."""

import base64
import json
from urllib import parse

import pytest

from tests.promises import canaries

CAGE = canaries.Cage()
SECRET = CAGE.door.value
FORMS = {
    "plain": SECRET,
    "json": json.dumps({"password": SECRET}),
    "json in json": json.dumps(json.dumps({"password": SECRET})),
    "url": parse.quote(SECRET, safe=""),
    "form": parse.quote_plus(SECRET),
    "python": repr(SECRET),
    "upper case": SECRET.upper(),
    "hex": SECRET.encode().hex(),
    "upper hex": SECRET.encode().hex().upper(),
    **{f"base64 at {n}": base64.b64encode(b"x" * n + SECRET.encode()).decode() for n in range(3)},
    **{f"url-safe base64 at {n}": base64.urlsafe_b64encode(b"x" * n + SECRET.encode()).decode() for n in range(3)},
    "base64 twice": base64.b64encode(CAGE.door.encoded.encode()).decode(),
    "hex of base64": CAGE.door.encoded.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found_in_every_form(form: str) -> None:
    """Plain, escaped, encoded, and encoded twice; amid anything else."""
    (found,) = {one.canary for one in CAGE.sightings([("a log", f"before {FORMS[form]} after".encode())])}
    assert found == "door"


def test_what_is_masked_is_not_found() -> None:
    """A digest is no sighting, and neither is another secret."""
    other = canaries.Cage().door.value
    assert list(CAGE.sightings([("a log", f"masked:0a1b2c3d:{'0' * 64} {other}".encode())])) == []
