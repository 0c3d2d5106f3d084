"""The counters and histograms of one daemon, moved by the code that sees things happen.

Meets `CallObserver`, `OperationObserver` and `PullObserver`. Words that come from outside the code, reasons of errors for
example, are taken up to a number and then counted as `other`.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector

from image.pulls.pull_picture import PullOutcome
from runtime.lifecycle.operations import Operation
from runtime.records.container import ContainerRecord

CONTENT_TYPE = CONTENT_TYPE_LATEST

RPC_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60, 120, 240)
PULL_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
LAG_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.25, 1, 5)

MAX_REGISTRIES = 20
MAX_PLUGINS = 20
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
        self._make_program_instruments()
        self._make_image_instruments()
        self._make_registry_instruments()
        self._loop_lag = Histogram(
            "lading_event_loop_lag_seconds",
            "How much later than asked for the event loop woke a task.",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        build = Info("lading_build", "What runs.", registry=self.registry)
        build.info({"version": version, "cri": cri_version})
        self._reasons, self._stages = Words(), Words(100)
        self._registries, self._plugins = Words(MAX_REGISTRIES), Words(MAX_PLUGINS)

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

    def _make_program_instruments(self) -> None:
        self._cni_seconds = Histogram(
            "lading_cni_duration_seconds",
            "How long CNI plugins took, failed calls too.",
            ["plugin", "verb", "outcome"],
            buckets=RPC_BUCKETS,
            registry=self.registry,
        )
        self._oci_seconds = Histogram(
            "lading_oci_runtime_duration_seconds",
            "How long OCI runtimes took, failed calls too; create includes the monitor's start.",
            ["handler", "verb", "outcome"],
            buckets=RPC_BUCKETS,
            registry=self.registry,
        )

    def _make_registry_instruments(self) -> None:
        self._requests = Counter(
            "lading_registry_requests",
            "Requests of pulls to registries: 2xx to 5xx, or failed when no answer came.",
            ["registry", "class"],
            registry=self.registry,
        )
        self._retries = Counter(
            "lading_registry_retries",
            "Requests that failed at every endpoint and were made again later.",
            ["reason"],
            registry=self.registry,
        )

    def _make_image_instruments(self) -> None:
        self._pull_seconds = Histogram(
            "lading_image_pull_duration_seconds",
            "How long pulls took.",
            ["outcome"],
            buckets=PULL_BUCKETS,
            registry=self.registry,
        )
        self._phase_seconds = Histogram(
            "lading_image_pull_phase_duration_seconds",
            "How long pulls were in each phase.",
            ["phase"],
            buckets=PULL_BUCKETS,
            registry=self.registry,
        )
        self._pull_bytes = Counter(
            "lading_image_pull_bytes",
            "Bytes of blobs: fetched (download), or not because the layer was here (reused).",
            ["phase"],
            registry=self.registry,
        )
        self._cache_hits = Counter(
            "lading_image_cache_hits",
            "What pulls did not have to fetch: whole images, or layers of others.",
            ["kind"],
            registry=self.registry,
        )
        self._pull_layers = Counter(
            "lading_image_pull_layers", "Layers of pulls.", ["outcome"], registry=self.registry
        )
        self._pull_failures = Counter(
            "lading_image_pull_failures", "Failed pulls.", ["reason"], registry=self.registry
        )
        self.store_reclaimable = Gauge(
            "lading_store_reclaimable_bytes",
            "What lading image prune would give back, as of the last minute.",
            registry=self.registry,
        )
        self.store_damaged = Gauge(
            "lading_store_damaged_layers",
            "Damaged layers that the last lading image fsck left.",
            registry=self.registry,
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
        self._pull_bytes.labels("reused").inc(outcome.present_bytes)
        for phase, spent in outcome.phase_seconds.items():
            self._phase_seconds.labels(phase).observe(spent)
        self._pull_layers.labels("downloaded").inc(outcome.layers_made)
        self._pull_layers.labels("present").inc(outcome.layers_present)
        if not outcome.reason and not outcome.layers_made:
            self._cache_hits.labels("image").inc()
        else:
            self._cache_hits.labels("layer").inc(outcome.layers_present)
        if outcome.reason:
            self._pull_failures.labels(self._reasons.of(outcome.reason)).inc()

    def registry_answered(self, host: str, answer: str) -> None:
        """Take note of a request to a registry."""
        self._requests.labels(self._registries.of(host), answer).inc()

    def request_retried(self, reason: str) -> None:
        """Take note of a request that is made again."""
        self._retries.labels(self._reasons.of(reason)).inc()

    def cni_called(self, plugin: str, verb: str, outcome: str, seconds: float) -> None:
        """Take note of a CNI plugin's call."""
        self._cni_seconds.labels(self._plugins.of(plugin), verb, outcome).observe(seconds)

    def runtime_called(self, handler: str, verb: str, outcome: str, seconds: float) -> None:
        """Take note of an OCI runtime's call."""
        self._oci_seconds.labels(handler, verb, outcome).observe(seconds)

    def loop_lagged(self, seconds: float) -> None:
        """Take note of how late the loop was."""
        self._loop_lag.observe(seconds)

    def page(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
