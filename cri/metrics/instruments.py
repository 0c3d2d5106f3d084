"""The counters and histograms of one daemon, moved by the code that sees things happen.

Meets `CallObserver`, `OperationObserver` and `PullObserver`. Words that come from outside the code, reasons of errors for
example, are taken up to a number and then counted as `other`.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector

from image.worker.pull_picture import PullOutcome
from runtime.lifecycle.operations import Operation
from runtime.records.container import ContainerRecord

CONTENT_TYPE = CONTENT_TYPE_LATEST

RPC_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60, 120, 240)
PULL_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
LAG_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.25, 1, 5)

MAX_WORDS = 40
"""Values of one open label; the 41st word and all after it are `other`."""


class Words:
    """Keeps an open label closed."""

    def __init__(self, limit: int = MAX_WORDS) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def of(self, word: str) -> str:
        """Return the word, or `other` when too many were seen."""
        if word not in self._known:
            if len(self._known) >= self._limit:
                return "other"
            self._known.add(word)
        return word


class Instruments:
    """All instruments, in a registry of their own."""

    def __init__(self, *, version: str, cri_version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._make_call_instruments()
        self._make_operation_instruments()
        self._make_image_instruments()
        self._loop_lag = Histogram(
            "lading_event_loop_lag_seconds",
            "How much later than asked for the event loop woke a task.",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        build = Info("lading_build", "What runs.", registry=self.registry)
        build.info({"version": version, "cri": cri_version})
        self._reasons, self._stages = Words(), Words(100)

    def _make_call_instruments(self) -> None:
        self._rpc_seconds = Histogram(
            "lading_rpc_duration_seconds",
            "How long CRI calls took, failed ones too.",
            ["method", "outcome"],
            buckets=RPC_BUCKETS,
            registry=self.registry,
        )
        self._rpcs = Counter(
            "lading_rpc", "CRI calls by gRPC status.", ["method", "code"], registry=self.registry
        )

    def _make_operation_instruments(self) -> None:
        self._stage_seconds = Histogram(
            "lading_stage_duration_seconds",
            "How long the stages of operations took.",
            ["operation", "stage"],
            buckets=RPC_BUCKETS,
            registry=self.registry,
        )
        self._joined = Counter(
            "lading_operations_joined",
            "Requests that joined an equal one that ran.",
            ["operation"],
            registry=self.registry,
        )
        self._exits = Counter(
            "lading_container_exits", "Ends of containers.", ["reason"], registry=self.registry
        )
        self._oom_kills = Counter(
            "lading_oom_kills", "Containers whose memory ran out.", registry=self.registry
        )

    def _make_image_instruments(self) -> None:
        self._pull_seconds = Histogram(
            "lading_image_pull_duration_seconds",
            "How long pulls took.",
            ["outcome"],
            buckets=PULL_BUCKETS,
            registry=self.registry,
        )
        self._pull_bytes = Counter(
            "lading_image_pull_bytes",
            "Bytes moved by pulls: downloaded, or not because the layer was here.",
            ["phase"],
            registry=self.registry,
        )
        self._pull_layers = Counter(
            "lading_image_pull_layers", "Layers of pulls.", ["outcome"], registry=self.registry
        )
        self._pull_failures = Counter(
            "lading_image_pull_failures", "Failed pulls.", ["reason"], registry=self.registry
        )
        self.pulls_running = Gauge(
            "lading_image_pulls_in_flight", "Pulls that run now.", registry=self.registry
        )

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """Take note of a CRI call."""
        outcome = "ok" if code == "OK" else "error"
        self._rpc_seconds.labels(method, outcome).observe(seconds)
        self._rpcs.labels(method, code).inc()

    def operation_ended(self, operation: Operation) -> None:
        """Take note of an operation's stages."""
        kind = operation.ticket.kind
        for stage in operation.stages:
            if stage.ended is not None:
                name = self._stages.of(stage.name)
                self._stage_seconds.labels(kind, name).observe(stage.ended - stage.started)

    def operation_joined(self, operation: Operation) -> None:
        """Take note of a request that joined."""
        self._joined.labels(operation.ticket.kind).inc()

    def container_ended(self, record: ContainerRecord) -> None:
        """Take note of a container's end."""
        self._exits.labels(self._reasons.of(record.reason or "Unknown")).inc()
        if record.reason == "OOMKilled":
            self._oom_kills.inc()

    def pull_ended(self, outcome: PullOutcome) -> None:
        """Take note of a pull."""
        self._pull_seconds.labels("ok" if not outcome.reason else "error").observe(outcome.seconds)
        self._pull_bytes.labels("download").inc(outcome.downloaded_bytes)
        self._pull_layers.labels("downloaded").inc(outcome.layers_made)
        self._pull_layers.labels("present").inc(outcome.layers_present)
        if outcome.reason:
            self._pull_failures.labels(self._reasons.of(outcome.reason)).inc()

    def loop_lagged(self, seconds: float) -> None:
        """Take note of how late the loop was."""
        self._loop_lag.observe(seconds)

    def page(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
