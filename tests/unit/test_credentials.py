"""Credentials in what people write are told by their place or by their own form; ordinary sentences stay."""

import pytest

from decklog.model import declaration
from decklog.model.masking import credentials

SECRET = "s3cr3tvalue0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"token={SECRET}",
        f"the API_TOKEN: {SECRET}, as asked",
        f"--password {SECRET}",
        f'"password": "{SECRET} and more"',
        f"{{'password': '{SECRET}'}}",
        f"curl -H 'Authorization: Bearer {SECRET}'",
        f"Basic {SECRET}==",
        f"https://ada:{SECRET}@git.example/shop.git",
        f"https://{SECRET}@git.example/shop.git",
        f"ada:{SECRET}@git.example:shop.git",
        f"https//ada:{SECRET}@git.example",
        f"see https://git.example/?access_token={SECRET}&x=1",
        f"ghp_{SECRET} was leaked",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.{SECRET}",
    ],
)
def test_a_credential_is_hidden(text: str) -> None:
    """Whatever stands around it, once and for all."""
    hidden = credentials.hide(text)
    assert SECRET not in hidden
    assert credentials.HIDDEN in hidden
    assert credentials.hide(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the token rotation of last night",
        "password was changed, see TICKET-1",
        "roll back: the new image crashes",
        "ask ada@example.org at 12:30; see https://wiki.example/a:b?page=2",
        "git@git.example:shop.git",
        "ssh://git@git.example/shop.git",
        "secretName: shop-tls",
    ],
)
def test_an_ordinary_sentence_stays(text: str) -> None:
    """Speaking about secrets is no secret, nor is an address without one, a time or a mail address."""
    assert credentials.hide(text) == text
    assert not credentials.in_address(text)


@pytest.mark.parametrize(
    "url",
    [
        f"https://ada:{SECRET}@git.example/shop.git",
        f"https://{SECRET}@git.example/shop.git",
        f"ssh://git:{SECRET}@git.example/shop.git",
        f"ada:{SECRET}@git.example:shop.git",
        f"https//ada:{SECRET}@git.example/shop.git",
        f"https://git.example/shop.git?private_token={SECRET}",
        f"https://[{SECRET}",
        {"https": f"ada:{SECRET}"},
        [f"https://ada:{SECRET}@git.example"],
    ],
)
@pytest.mark.parametrize("field", ["url", "credentials"])
def test_a_declaration_refuses_it_without_repeating_it(url: object, field: str) -> None:
    """In the address, where the name of credentials must stand, or in a value of the wrong shape."""
    spec = {"url": "https://git.example/shop.git", field: url}
    document = {"apiVersion": declaration.API_VERSION, "kind": "Source", "metadata": {"name": "shop"}, "spec": spec}
    with pytest.raises(declaration.Invalid) as refused:
        declaration.parse(document)
    assert SECRET not in str(refused.value.failure)
