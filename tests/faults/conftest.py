"""The bench of the integration tests, for the tests of faults."""

from tests.integration.conftest import bench, kubectl

__all__ = ["bench", "kubectl"]
