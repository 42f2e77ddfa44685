"""What Prometheus reads at /metrics: requests by route, the parts of a search, the queue, and the gallery."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 20)
TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one server; labels are names of routes and never what a client sends."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "crossx_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "crossx_request_seconds", "Time of a request.", ("route",), registry=self.registry, buckets=_SECONDS
        )
        self.parts = Histogram(
            "crossx_search_seconds", "Time of a part of a search.", ("part",), registry=self.registry, buckets=_SECONDS
        )
        self.queries = Counter("crossx_queries", "Queries by kind.", ("kind",), registry=self.registry)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a number that is read when Prometheus asks."""
        Gauge(f"crossx_{name}", text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """All numbers in Prometheus's format."""
        return generate_latest(self.registry)
