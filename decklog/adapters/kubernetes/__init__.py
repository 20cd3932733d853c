"""A real Kubernetes cluster behind `decklog.ports.cluster`.

Requests are made with kubernetes_asyncio's raw `ApiClient` and plain JSON: its models lose fields that a newer API
server knows, and its dynamic client never raises. Nothing here decides anything about objects.

* `account` — which cluster, under which credentials: a kubeconfig context, or the pod's own account.
* `connection` — one request, one stream of lines; the library's exceptions end here.
* `failures` — what an API server's answer means for the caller.
* `discovery` — which kinds are served, and under which paths.
* `cluster` — the port itself.
"""
