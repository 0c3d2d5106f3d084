"""What is noted shows on the page, under few and short labels."""

import asyncio

from cri.metrics.instruments import Instruments, Words
from cri.tests.sample_records import container_record
from image.pulls.pull_picture import PullOutcome
from runtime.lifecycle.operations import Operation, Stage, Ticket


def page(instruments: Instruments) -> str:
    return instruments.page().decode()


def outcome(reason: str) -> PullOutcome:
    return PullOutcome(
        seconds=3,
        reason=reason,
        downloaded_bytes=700,
        layers_made=2,
        layers_present=1,
        present_bytes=50,
        phase_seconds={"downloading": 1.5},
    )


async def test_everything_noted_is_on_the_page() -> None:
    instruments = Instruments(version="1.2", cri_version="v1")
    instruments.call_ended("PullImage", "OK", 0.2)
    instruments.call_ended("PullImage", "UNKNOWN", 0.2)
    instruments.container_ended(container_record(reason="OOMKilled"))
    instruments.pull_ended(outcome(""))
    instruments.pull_ended(outcome("RegistryUnavailable"))
    instruments.loop_lagged(0.002)
    instruments.registry_answered("r.test:5000", "4xx")
    instruments.request_retried("throttled")
    instruments.cni_called("bridge", "ADD", "ok", 0.2)
    instruments.runtime_called("crun", "start", "error", 0.2)
    operation = Operation(Ticket(kind="run", key="k", subject="run x"))
    now = asyncio.get_running_loop().time()
    operation.stages = [Stage("mount", now - 0.5, now), Stage("open", now)]
    instruments.operation_ended(operation)
    instruments.operation_joined(operation)
    text = page(instruments)
    for line in (
        'lading_rpc_total{code="OK",method="PullImage"} 1.0',
        'lading_rpc_duration_seconds_count{method="PullImage",outcome="error"} 1.0',
        'lading_stage_duration_seconds_bucket{le="0.5",operation="run",stage="mount"} 1.0',
        'lading_operations_joined_total{operation="run"} 1.0',
        'lading_container_exits_total{reason="OOMKilled"} 1.0',
        "lading_oom_kills_total 1.0",
        'lading_image_pull_bytes_total{phase="download"} 1400.0',
        'lading_image_pull_failures_total{reason="RegistryUnavailable"} 1.0',
        'lading_build_info{cri="v1",version="1.2"} 1.0',
        'lading_image_pull_bytes_total{phase="reused"} 100.0',
        'lading_image_pull_phase_duration_seconds_count{phase="downloading"} 2.0',
        'lading_image_cache_hits_total{kind="layer"} 2.0',
        'lading_registry_requests_total{class="4xx",registry="r.test:5000"} 1.0',
        'lading_registry_retries_total{reason="throttled"} 1.0',
        'lading_cni_duration_seconds_count{outcome="ok",plugin="bridge",verb="ADD"} 1.0',
        'lading_oci_runtime_duration_seconds_count{handler="crun",outcome="error",verb="start"} 1.0',
        "process_resident_memory_bytes",
    ):
        assert line in text
    assert 'stage="open"' not in text


def test_open_words_are_counted_as_other_beyond_a_number() -> None:
    words = Words(2)
    assert [words.of(one) for one in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]


def test_a_pull_that_made_no_layer_is_a_hit_of_the_whole_image() -> None:
    instruments = Instruments(version="1.2", cri_version="v1")
    instruments.pull_ended(
        PullOutcome(seconds=0, reason="", downloaded_bytes=0, layers_made=0, layers_present=3)
    )
    assert 'lading_image_cache_hits_total{kind="image"} 1.0' in page(instruments)


def test_registries_beyond_twenty_are_one_series() -> None:
    instruments = Instruments(version="1.2", cri_version="v1")
    for number in range(30):
        instruments.registry_answered(f"r{number}.test", "2xx")
    text = page(instruments)
    assert 'registry="r19.test"' in text
    assert 'registry="r20.test"' not in text
    assert 'lading_registry_requests_total{class="2xx",registry="other"} 10.0' in text
