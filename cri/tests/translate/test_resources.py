"""Limits survive the way in and out."""

from hypothesis import given
from hypothesis import strategies as st

from cri.api import api_pb2
from cri.translate.resources import linux_resources, resources_message
from runtime.records.resources import LinuxResources

NUMBER = st.integers(-(2**63), 2**63 - 1)
MESSAGES = st.builds(
    api_pb2.LinuxContainerResources,
    cpu_period=NUMBER,
    cpu_quota=NUMBER,
    cpu_shares=NUMBER,
    memory_limit_in_bytes=NUMBER,
    memory_swap_limit_in_bytes=NUMBER,
    oom_score_adj=NUMBER,
    cpuset_cpus=st.text(max_size=5),
    cpuset_mems=st.text(max_size=5),
    hugepage_limits=st.lists(
        st.builds(
            api_pb2.HugepageLimit, page_size=st.text(max_size=4), limit=st.integers(0, 2**64 - 1)
        ),
        max_size=2,
    ),
    unified=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


@given(MESSAGES)
def test_limits_come_back_as_they_were_sent(sent: api_pb2.LinuxContainerResources) -> None:
    assert resources_message(linux_resources(sent)) == sent


def test_nothing_asked_for_is_the_default() -> None:
    assert linux_resources(api_pb2.LinuxContainerResources()) == LinuxResources()


def test_unified_settings_are_sorted_by_file() -> None:
    message = api_pb2.LinuxContainerResources(unified={"memory.min": "1", "cpu.weight": "2"})
    assert linux_resources(message).unified == (("cpu.weight", "2"), ("memory.min", "1"))
