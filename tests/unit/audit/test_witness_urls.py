"""A typo in the URL of a witness is told where it was made, and what is found out later ends no publisher."""

import asyncio

import pytest

from decklog.model import errors, merkle
from decklog.model.tlog import checkpoint, keys, note, policy
from services.audit.publisher import witnessed, witnesses

LOG = keys.from_pem(keys.new_pem(b"l" * 32), "log.example/1")
WITNESS = keys.cosigner_from_pem(keys.new_pem(b"w" * 32), "w.example").verifier
TREE = checkpoint.Checkpoint(LOG.name, 7, merkle.leaf_hash(b""))


def written(url: str) -> bytes:
    return f"# whom we ask\n\nwitness w {WITNESS} {url}\nquorum w\n".encode()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:99999", "http://127.0.0.1:x", "http://[::1", "ftp://h", "http://", "http://bücher.example"],
)
def test_a_policy_with_a_url_that_cannot_be_asked_is_refused_at_the_start(url, tmp_path):
    """With file, line, witness, and what to write; whoever only verifies with the same file asks nobody."""
    file = tmp_path / "policy"
    file.write_bytes(written(url))
    with pytest.raises(errors.Terminal, match="line 3: the URL of the witness 'w' is none") as caught:
        witnessed.read(file, wait=True)
    assert str(file) in caught.value.problem
    assert caught.value.where == "DECKLOG_LOG_POLICY"
    assert "https://HOST" in caught.value.hint
    assert policy.parse(written(url)).urls == {"w": url.encode().decode("latin-1")}


async def test_a_host_that_cannot_even_be_looked_up_is_a_witness_that_is_not_reached():
    """Its name is no name only to whoever decodes it: trouble in words, and it is asked again."""
    given = policy.parse(written("http://xn--a:9"))
    offer = witnesses.Offer(TREE, note.sign(TREE.to_text(), [LOG]))

    async def prove(*_: object) -> list[bytes]:
        return []

    async with witnesses.Circle(given, prove, {}).asking() as circle:
        circle.offer(offer)
        await circle.settled(asyncio.Event(), 30.0)
        assert circle.heard() == []
        assert "not allowed" in circle.troubles["w"]
