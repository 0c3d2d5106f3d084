"""Pictures of pulls are drawn from events, whatever their order."""

from image.exchange.messages import PullEvent
from image.pulls.pull_picture import MAX_LAYERS, PullPicture


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def event(status: str, layer: str = "", current: int = 0, total: int = 0) -> PullEvent:
    return PullEvent(status=status, layer=layer, current=current, total=total)


def test_a_pull_goes_through_its_phases() -> None:
    clock = Clock()
    picture = PullPicture(clock)
    assert picture.now().phase == "resolving"
    picture.take(event("Serving from http://mirror"))
    picture.take(event("Waiting", "aa", total=100))
    picture.take(event("Already exists", "bb", total=900))
    assert picture.now().phase == "downloading"
    clock.now += 1
    picture.take(event("Downloading", "aa", 40, 100))
    view = picture.now()
    assert (view.current_bytes, view.total_bytes, view.source) == (40, 100, "http://mirror")
    assert view.bytes_per_second == 40
    picture.take(event("Verifying Checksum", "aa", total=100))
    assert (picture.now().phase, picture.now().current_bytes) == ("downloading", 100)
    picture.take(event("Download complete", "aa", total=100))
    picture.take(event("Extracting", "aa", 7000))
    view = picture.now()
    assert (view.phase, view.current_bytes, view.total_bytes) == ("unpacking", 100, 100)
    picture.take(event("Pull complete", "aa", total=100))
    picture.take(event("Status: Downloaded newer image for x"))
    assert picture.now().phase == "committing"
    outcome = picture.outcome("")
    assert (outcome.downloaded_bytes, outcome.layers_made, outcome.layers_present) == (100, 1, 1)
    assert outcome.seconds == 1


def test_the_rate_is_of_the_last_seconds_only() -> None:
    clock = Clock()
    picture = PullPicture(clock)
    picture.take(event("Downloading", "aa", 0, 1000))
    clock.now += 2
    picture.take(event("Downloading", "aa", 1000, 2000))
    assert picture.now().bytes_per_second == 500
    clock.now += 60
    assert picture.now().bytes_per_second == 0
    picture.take(event("Downloading", "aa", 1001, 2000))
    assert picture.now().bytes_per_second == 0


def test_a_lying_worker_cannot_fill_the_memory() -> None:
    picture = PullPicture(Clock())
    for number in range(MAX_LAYERS + 5):
        picture.take(event("Waiting", str(number)))
    assert len(picture.now().layers) == MAX_LAYERS


def test_what_a_pull_waits_for_is_told_while_nothing_moves() -> None:
    clock = Clock()
    picture = PullPicture(clock)
    picture.take(event("Waiting", "aa", total=100))
    assert picture.now().waiting_for == ""
    picture.take(event("Waiting for a download slot", "aa", total=100))
    picture.take(event("Waiting", "aa", total=100))
    picture.take(event("Waiting for another pull", "bb", total=100))
    view = picture.now()
    assert view.waiting_for == "a download slot and another pull"
    assert [one.waiting_for for one in view.layers] == ["a download slot", "another pull"]
    picture.take(event("Downloading", "aa", 1, 100))
    assert picture.now().waiting_for == ""


def test_a_pause_between_tries_is_counted_down() -> None:
    clock = Clock()
    picture = PullPicture(clock)
    picture.take(event("Retrying in 30 s: https://r.test: 429 TOOMANYREQUESTS"))
    clock.now += 10
    told = picture.now().waiting_for
    assert told == "its next try in 20 s (https://r.test: 429 TOOMANYREQUESTS)"
    clock.now += 20
    assert picture.now().waiting_for == ""
    picture.take(event("Retrying in a moment"))
    assert picture.now().waiting_for == ""


def test_the_outcome_has_the_time_of_each_phase_and_what_was_spared() -> None:
    clock = Clock()
    picture = PullPicture(clock)
    clock.now += 2
    picture.take(event("Already exists", "bb", total=900))
    clock.now += 1
    outcome = picture.outcome("")
    assert outcome.phase_seconds == {"resolving": 2, "unpacking": 1}
    assert outcome.present_bytes == 900
