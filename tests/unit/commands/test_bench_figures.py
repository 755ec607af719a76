"""What `batchsum bench` makes of what it has measured."""

import json

import pytest

from consumer.commands.bench.command import requests
from consumer.commands.bench.figures import Latency, Rate, Shape, Suggestion, best, suggest


def rate(workers: int, batches_per_s: float) -> Rate:
    return Rate(workers, batches_per_s, cores=workers + 0.5)


def test_the_fewest_workers_that_are_as_good_as_the_most_are_best() -> None:
    assert best([rate(1, 50_000), rate(2, 97_000), rate(8, 100_000)]).workers == 2
    assert best([rate(1, 50_000), rate(8, 100_000)]).workers == 8
    assert best([rate(1, 10)]).workers == 1


def test_what_a_core_does_is_the_rate_by_the_cores_that_were_busy() -> None:
    assert Rate(2, 30_000, cores=1.5).batches_per_core_s == 20_000
    assert Rate(2, 30_000, cores=None).batches_per_core_s is None


def test_percentiles_are_those_of_all_answers_in_milliseconds() -> None:
    latency = Latency.of([number / 1_000 for number in range(1_000, 0, -1)], batches_per_s=10)
    assert (latency.answers, latency.p50_ms, latency.p99_ms, latency.max_ms) == (1_000, 501, 991, 1_000)
    lone = Latency.of([0.005], batches_per_s=1)
    assert (lone.p50_ms, lone.p99_ms, lone.max_ms) == (5, 5, 5)


@pytest.mark.parametrize(("target", "instances"), [(None, 1), (1, 1), (5_000, 1), (5_001, 2), (100_000, 20)])
def test_as_many_instances_are_suggested_as_have_the_rate_at_their_ease(target: float | None, instances: int) -> None:
    suggestion = suggest(rate(2, 10_000), lane_chunks_max=4, target=target)
    assert suggestion == Suggestion(target or 5_000, workers=2, instances=instances, partitions=2 * instances)


def test_partitions_are_enough_to_keep_all_workers_busy() -> None:
    assert suggest(rate(16, 10_000), lane_chunks_max=4, target=10_000).partitions == 2 * 2 * 4


def test_requests_are_of_the_shape_that_was_asked_for_and_all_different() -> None:
    made = [json.loads(request) for request in requests(Shape(lists=3, integers=5))]
    assert len({request["batchid"] for request in made}) == len(made) > 1
    assert {tuple(map(len, request["payload"])) for request in made} == {(5, 5, 5)}


def test_large_requests_are_few() -> None:
    made = requests(Shape(lists=100, integers=10_000))
    assert 1 <= len(made) < 5
