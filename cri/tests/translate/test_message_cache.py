"""Messages are made once per record object."""

from cri.tests.sample_records import sandbox_record
from cri.translate.message_cache import MessageCache
from runtime.records.sandbox import SandboxRecord


def counting_cache(made: list[str]) -> MessageCache[SandboxRecord, str]:
    def translate(record: SandboxRecord) -> str:
        made.append(record.id)
        return f"message of {record.id}"

    return MessageCache(translate)


def test_an_unchanged_record_is_translated_once() -> None:
    made: list[str] = []
    cache = counting_cache(made)
    record = sandbox_record()
    assert cache.messages([record]) == cache.messages([record])
    assert len(made) == 1


def test_a_replaced_record_is_translated_again() -> None:
    made: list[str] = []
    cache = counting_cache(made)
    cache.message(sandbox_record())
    cache.message(sandbox_record())
    assert len(made) == 2
    assert len(cache) == 1


def test_records_that_are_gone_are_forgotten() -> None:
    cache = counting_cache([])
    cache.messages([sandbox_record(id=f"{n:064x}") for n in range(200)])
    kept = sandbox_record(id="kept")
    cache.messages([kept])
    assert len(cache) == 1
