"""What the tests of reconcile share: a bench of real parts, and somebody else at the cluster."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import reconcile


@pytest.fixture
async def bench(
    kafka_bootstrap: str, topic_prefix: str, kubeconfig: Path, tmp_path: Path
) -> AsyncIterator[reconcile.Bench]:
    """Topics, an installation, a source and a cluster; members are started by the test."""
    made = reconcile.Bench(kafka_bootstrap, topic_prefix, Path(kubeconfig), tmp_path)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def kubectl(kubeconfig: Path) -> AsyncIterator[reconcile.Kubectl]:
    """Somebody else, under another field manager."""
    made = reconcile.Kubectl(Path(kubeconfig))
    yield made
    await made.close()
