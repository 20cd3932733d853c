"""Short forms: what a table shows can be asked for, and loses nothing that matters."""

import pytest

from decklog.cli.views import words


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("apps/Deployment/shop/web", "Deployment.apps shop/web"),
        ("/ConfigMap/shop/settings", "ConfigMap shop/settings"),
        ("/Namespace//shop", "Namespace shop"),
        ("rbac.authorization.k8s.io/ClusterRole//system:node", "ClusterRole.rbac.authorization.k8s.io system:node"),
    ],
)
def test_an_object_as_it_is_shown_can_be_asked_for(key: str, shown: str) -> None:
    assert words.kubernetes_object(key) == shown
    assert words.object_key(shown) == key
    assert words.object_key(key) == key


def test_what_is_no_key_stays_as_it_is() -> None:
    assert words.kubernetes_object("odd") == "odd"
    assert words.object_key("odd") == "odd"


def test_opaque_ids_are_shortened_and_names_are_not() -> None:
    assert words.actor("author:6b67079ec63bbbfcfc72635a8781c6e0") == "author:6b67079e…"
    assert words.actor("kube-controller-manager") == "kube-controller-manager"


def test_a_revision_shows_what_is_there_and_what_comes() -> None:
    assert words.revision("a" * 40, "a" * 40) == "aaaaaaaa"
    assert words.revision("a" * 40, "b" * 40) == "aaaaaaaa→bbbbbbbb"
    assert words.revision("", "") == "-"
