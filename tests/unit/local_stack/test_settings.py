"""What the local stack takes from its environment, and what it must not take."""

from pathlib import Path

import pytest

from deploy.local import settings

ROOT, HOME = Path("/checkout"), Path("/home/ann")


def read(environ: dict[str, str], profile: settings.Profile = settings.Profile.DEV, state: Path | None = None):
    return settings.read(environ, root=ROOT, home=HOME, profile=profile, state=state)


def test_alone_it_starts_everything_itself() -> None:
    """Without any variable: own Kafka, own Postgres, own cluster, state in the checkout, cache in the home."""
    found = read({})
    assert (found.kafka, found.postgres, found.context) == (None, None, None)
    assert (found.state, found.cache) == (ROOT / ".decklog", HOME / ".cache" / "decklog")
    assert found.own_cluster
    assert found.with_demo


def test_inherited_servers_are_used() -> None:
    """DECKLOG_KAFKA and DECKLOG_POSTGRES may come from the environment."""
    found = read({"DECKLOG_KAFKA": "k:9092", "DECKLOG_POSTGRES": "postgresql://h/d"})
    assert (found.kafka, found.postgres) == ("k:9092", "postgresql://h/d")


@pytest.mark.parametrize("inherited", [{"CONTEXT": "prod"}, {"KUBECONFIG": "/prod"}, {"DEMO": "1", "CONTEXT": "prod"}])
def test_an_inherited_cluster_is_never_used(inherited: dict[str, str]) -> None:
    """CONTEXT, KUBECONFIG and DEMO count only when they were given on make's command line."""
    found = read(inherited)
    assert found.own_cluster
    assert found.kubeconfig is None
    assert not found.demo


def test_a_context_on_the_command_line_is_looked_up_in_the_users_kubeconfig() -> None:
    """CONTEXT alone means ~/.kube/config, even with another KUBECONFIG inherited."""
    found = read({"DECKLOG_GIVEN": "CONTEXT", "CONTEXT": "minikube", "KUBECONFIG": "/inherited"})
    assert (found.context, found.kubeconfig) == ("minikube", HOME / ".kube" / "config")


def test_on_a_foreign_cluster_the_demo_is_only_made_when_asked_for() -> None:
    """DEMO=1 on the command line, and nothing else, allows it."""
    given = {"DECKLOG_GIVEN": "CONTEXT DEMO", "CONTEXT": "minikube"}
    assert not read(given).with_demo
    assert not read(given | {"DEMO": "0"}).with_demo
    assert read(given | {"DEMO": "1"}).with_demo


def test_the_variables_of_a_sourced_stack_are_not_requests() -> None:
    """After `. .decklog/env`, `make up` still starts its own servers in its own folder."""
    sourced = {
        "DECKLOG_STACK": "/other/.decklog",
        "DECKLOG_KAFKA": "k:1",
        "DECKLOG_POSTGRES": "p",
        "DECKLOG_STATE": "/x",
    }
    found = read(sourced)
    assert (found.kafka, found.postgres, found.state) == (None, None, ROOT / ".decklog")


def test_inside_a_sourced_stack_the_command_line_still_counts() -> None:
    """What is typed now wins over what was sourced."""
    environ = {"DECKLOG_STACK": "/s", "DECKLOG_KAFKA": "k:1", "DECKLOG_GIVEN": "DECKLOG_KAFKA"}
    assert read(environ).kafka == "k:1"


def test_the_sourced_stacks_own_folder_stays_chosen() -> None:
    """With DECKLOG_STATE=/s exported before, `make down` after sourcing /s/env still means /s."""
    assert read({"DECKLOG_STACK": "/s", "DECKLOG_STATE": "/s"}).state == Path("/s")


def test_a_test_stack_listens_to_nobody() -> None:
    """No variable leads tests to somebody's servers."""
    environ = {"DECKLOG_KAFKA": "k:1", "DECKLOG_POSTGRES": "p", "CONTEXT": "c", "DECKLOG_GIVEN": "CONTEXT"}
    found = read(environ, settings.Profile.TEST, Path("/t"))
    assert (found.kafka, found.postgres, found.context, found.state) == (None, None, None, Path("/t"))


def test_the_digest_tells_settings_apart_without_showing_them() -> None:
    """A password in a URI is not in the digest's text."""
    one, two = read({"DECKLOG_POSTGRES": "postgresql://u:secret@h/d"}), read({})
    assert one.digest() != two.digest()
    assert "secret" not in one.digest()
