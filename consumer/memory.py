"""Memory, in a process through which much of it passes: what has been given back is wanted again for the next chunk."""

import contextlib
import ctypes
import gc

# Records, tuples and lists come by the hundred thousand a second, and die without the collector's help. At its default
# of 700 it looks at the young ones, and now and then at everything, so often that it takes a fifth of the CPU.
YOUNG_OBJECTS_MAX = 50_000

# glibc gives what a chunk leaves behind back to the system, which clears page after page for the next one.
KEPT_BYTES_MAX = 32 * 1024 * 1024
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h; 32 MiB is the most that the second one takes

_allocate = ctypes.pythonapi.PyBytes_FromStringAndSize
_allocate.argtypes, _allocate.restype = (ctypes.c_char_p, ctypes.c_ssize_t), ctypes.py_object


def settle() -> None:
    """To be called once, when a process has loaded what it needs: all that is there now is there to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 10, 10)
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(option, KEPT_BYTES_MAX)


def uncleared(size_bytes: int) -> bytes:
    """Bytes with whatever is in their memory, for whoever writes all of them before anybody reads one.

    `bytes(size_bytes)` has them cleared first. What is given no content is not initialized, says C's interface to Python.
    """
    allocated: bytes = _allocate(None, size_bytes)
    return allocated
