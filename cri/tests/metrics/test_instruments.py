"""What is noted shows on the page, under few and short labels."""

import asyncio

from cri.metrics.instruments import Instruments, Words
from cri.tests.sample_records import container_record
from image.worker.pull_picture import PullOutcome
from runtime.lifecycle.operations import Operation, Stage, Ticket


def page(instruments: Instruments) -> str:
    return instruments.page().decode()


def outcome(reason: str) -> PullOutcome:
    return PullOutcome(
        seconds=3, reason=reason, downloaded_bytes=700, layers_made=2, layers_present=1
    )


async def test_everything_noted_is_on_the_page() -> None:
    instruments = Instruments(version="1.2", cri_version="v1")
    instruments.call_ended("PullImage", "OK", 0.2)
    instruments.call_ended("PullImage", "UNKNOWN", 0.2)
    instruments.container_ended(container_record(reason="OOMKilled"))
    instruments.pull_ended(outcome(""))
    instruments.pull_ended(outcome("RegistryUnavailable"))
    instruments.loop_lagged(0.002)
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
        "process_resident_memory_bytes",
    ):
        assert line in text
    assert 'stage="open"' not in text


def test_open_words_are_counted_as_other_beyond_a_number() -> None:
    words = Words(2)
    assert [words.of(one) for one in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]
