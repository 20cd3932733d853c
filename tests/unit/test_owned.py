"""Only what is ours is compared: what webhooks and defaults would do elsewhere is no drift."""

from services.reconcile.core import owned


def ports(*pairs):
    return {"ports": [{"containerPort": port, "protocol": name, "name": f"{port}{name}"} for port, name in pairs]}


def port_tree(*pairs):
    owned_item = {".": {}, "f:containerPort": {}, "f:protocol": {}}
    return {"f:ports": {f'k:{{"containerPort":{port},"protocol":"{name}"}}': owned_item for port, name in pairs}}


def test_fields_that_are_not_ours_stay_as_they_are_live():
    """A webhook would set another value, add a field, drop a field."""
    live = {"a": 1, "webhook": "old", "dropped": 1}
    dry_run = {"a": 2, "webhook": "new", "added": 1}
    assert owned.adopt(live, dry_run, {"f:a": {}}, {"f:a": {}}) == {"a": 2, "webhook": "old", "dropped": 1}


def test_a_field_we_no_longer_want_goes():
    """It was ours before and is not in the dry-run's reply."""
    assert owned.adopt({"a": 1, "b": 2}, {"a": 1}, {"f:a": {}, "f:b": {}}, {"f:a": {}}) == {"a": 1}


def test_a_field_we_let_go_of_takes_its_default():
    """The API server puts the default in its place, which nobody owns."""
    assert owned.adopt({"replicas": 5}, {"replicas": 1}, {"f:replicas": {}}, {}) == {"replicas": 1}


def test_items_are_found_by_all_their_keys():
    """One port number over two protocols is two items (gitops-engine#640)."""
    live = ports((53, "UDP"), (53, "TCP"))
    dry_run = ports((53, "UDP"), (53, "TCP"), (80, "TCP"))
    tree = port_tree((53, "TCP"), (80, "TCP"))
    assert owned.adopt(live, dry_run, port_tree((53, "TCP")), tree) == dry_run


def test_composite_keys_survive_in_items_of_which_we_own_another_field():
    """The item is kept whole: its keys are never cut away with what is not ours."""
    live = ports((53, "UDP"))
    dry_run = {"ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}
    tree = {"f:ports": {'k:{"containerPort":53,"protocol":"UDP"}': {"f:name": {}}}}
    assert owned.adopt(live, dry_run, tree, tree) == dry_run


def test_a_container_that_a_webhook_injects_is_no_drift():
    """Neither when it is live and not in the reply, nor the other way round."""
    web, sidecar = {"name": "web", "image": "1"}, {"name": "sidecar", "image": "x"}
    tree = {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}}
    live, injected = {"containers": [web]}, {"containers": [web, sidecar]}
    assert owned.adopt(live, injected, tree, tree) == live
    assert owned.adopt(injected, live, tree, tree) == injected


def test_an_item_we_no_longer_want_goes():
    """It was ours alone, and the reply does not have it."""
    web, old = {"name": "web"}, {"name": "old"}
    both = {"f:c": {'k:{"name":"web"}': {}, 'k:{"name":"old"}': {}}}
    assert owned.adopt({"c": [web, old]}, {"c": [web]}, both, {"f:c": {'k:{"name":"web"}': {}}}) == {"c": [web]}


def test_ancestors_of_what_is_ours_are_entered_never_removed():
    """A container nobody lists as owned still holds our field (argo-cd#28818)."""
    live = {"spec": {"configuration": {"value": "old", "other": 1}}}
    dry_run = {"spec": {"configuration": {"value": "new", "other": 2}}}
    tree = {"f:spec": {"f:configuration": {"f:value": {}}}}
    assert owned.adopt(live, dry_run, tree, tree) == {"spec": {"configuration": {"value": "new", "other": 1}}}


def test_atomic_lists_are_taken_as_a_whole():
    """A leaf in the field set owns all items."""
    assert owned.adopt({"args": ["a", "b"]}, {"args": ["c"]}, {"f:args": {}}, {"f:args": {}}) == {"args": ["c"]}


def test_sets_keep_what_others_put_in():
    """Finalizers: ours by value, others' left."""
    tree = {"f:finalizers": {'v:"ours"': {}}}
    live, dry_run = {"finalizers": ["theirs"]}, {"finalizers": ["theirs", "ours"]}
    assert owned.adopt(live, dry_run, {}, tree) == dry_run
    assert owned.adopt({"finalizers": ["ours", "theirs"]}, {"finalizers": ["theirs"]}, tree, {}) == live
