"""Tests of the worker's limits."""

from image.worker.limits import thread_count


def test_each_layer_has_its_two_threads() -> None:
    for layers in (0, 1, 3, 50):
        assert thread_count(layers) > 2 * layers
