"""What Prometheus reads at /metrics: requests by route, the parts of a search, the queue, and the gallery."""

import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class Counted:
    """Count the requests of an application and their time.

    Args:
        app: The application.
        metrics: Where they are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - start)
