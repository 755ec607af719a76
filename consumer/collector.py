"""The garbage collector, told what kind of process this is."""

import gc

# Records, tuples and lists come by the hundred thousand a second, and die without the collector's help. At its default
# of 700 it looks at the young ones, and now and then at everything, so often that it takes a fifth of the CPU.
YOUNG_OBJECTS_MAX = 50_000


def settle() -> None:
    """To be called once, when a process has loaded what it needs: all that is there now is there to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 10, 10)
