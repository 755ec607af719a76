"""The demo's samples, and its eye for what is wrong."""

from collections import Counter

from consumer.commands.exchange import Fate
from consumer.commands.samples import Sample, samples
from consumer.kafka.caller import Outcome
from domain.batch import Limits, Result
from domain.summation import process_chunk

SAMPLES = samples(batches=50, seed=1)


def fate(sample: Sample, *, status: str = "complete", value: bytes | None = b"", reason: str | None = None) -> Fate:
    headers = {} if reason is None else {"dlq.reason": reason}
    outcome = Outcome(source="t/0/0", value=value, key=sample.request.key, partition=0, offset=0, headers=headers)
    if reason is None:
        return Fate(1, "t/0/0", status=status, answer=outcome)
    return Fate(1, "t/0/0", status=status, dead_letter=outcome)


def test_the_example_of_the_contract_comes_first() -> None:
    assert SAMPLES[0].request.value == b'{"batchid":"id0101","payload":[[1,2],[3,4]]}'
    assert SAMPLES[0].sums == [3, 7]


def test_there_are_good_and_bad_ones_of_each_kind() -> None:
    reasons = Counter(sample.reason for sample in SAMPLES)
    assert reasons[None] == 51
    assert reasons.keys() == {None, "invalid_json", "invalid_request", "empty_record"}


def test_what_is_expected_of_each_is_what_the_work_makes_of_it() -> None:
    outcomes = process_chunk([sample.request.value for sample in SAMPLES], Limits())
    for sample, outcome in zip(SAMPLES, outcomes, strict=True):
        if isinstance(outcome, Result):
            assert sample.fault(fate(sample, value=outcome.answer)) is None
        else:
            right = fate(sample, status="failed", value=sample.request.value, reason=outcome.code)
            assert sample.fault(right) is None


def test_a_wrong_sum_is_seen() -> None:
    wrong = fate(SAMPLES[0], value=b'{"response": [3, 8]}')
    assert SAMPLES[0].fault(wrong) == "request 1: [3, 8] are not its sums, [3, 7] are"


def test_a_missing_answer_is_seen() -> None:
    missing = Fate(1, "t/0/0")
    assert all("is missing" in str(sample.fault(missing)) for sample in SAMPLES)


def test_a_good_batch_that_failed_and_a_bad_one_that_did_not_are_seen() -> None:
    good, bad = SAMPLES[0], next(sample for sample in SAMPLES if sample.reason)
    assert good.fault(fate(good, status="failed"))
    assert bad.fault(fate(bad, value=b'{"response": [1]}'))


def test_a_dead_letter_for_another_reason_or_with_another_value_is_seen() -> None:
    bad = next(sample for sample in SAMPLES if sample.reason == "invalid_json")
    value = bad.request.value
    assert "not invalid_json" in str(bad.fault(fate(bad, status="failed", value=value, reason="timed_out")))
    changed = fate(bad, status="failed", value=b"changed", reason="invalid_json")
    assert "bit for bit" in str(bad.fault(changed))
