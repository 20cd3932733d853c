"""A typo in the URL of a witness is told where it was made."""

import pytest

from decklog.model import errors
from decklog.model.tlog import keys, policy
from services.audit.publisher import witnessed

WITNESS = keys.cosigner_from_pem(keys.new_pem(b"w" * 32), "w.example").verifier


def written(url: str) -> bytes:
    return f"# whom we ask\n\nwitness w {WITNESS} {url}\nquorum w\n".encode()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://[::1",
        "ftp://h",
        "http://",
        "http://bücher.example",
        "http://xn--a",
    ],
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
