"""Every property that hypothesis knows, again and again with other examples, for `FUZZ_MINUTES` in all: `make fuzz MINUTES=5`.

What is found goes into `tests/support/corpus.py`, or becomes an `@example` beside its property, with the reason, so that
it is tried first ever after.
"""

import importlib
import os
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import is_hypothesis_test

MODULES = (
    "tests.unit.domain.test_properties",
    "tests.unit.domain.test_quick_against_models",
    "tests.unit.config.test_any_settings",
    "tests.unit.test_any_command_line",
)
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0.1"))


def properties() -> Iterator[tuple[str, Callable[[], None]]]:
    """All of them, by name."""
    for module in MODULES:
        for name, test in vars(importlib.import_module(module)).items():
            if is_hypothesis_test(test):
                yield name, test


NAMES, PROPERTIES = zip(*properties(), strict=True)
SECONDS_EACH = 60 * MINUTES / len(PROPERTIES)


@pytest.mark.timeout(SECONDS_EACH + 300)
@pytest.mark.parametrize("prove", PROPERTIES, ids=NAMES)
def test_it_holds_for_as_long_as_there_is_time(prove: Callable[[], None]) -> None:
    ends_at = time.monotonic() + SECONDS_EACH
    prove()
    while time.monotonic() < ends_at:
        prove()
