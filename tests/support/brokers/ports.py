"""TCP ports that a broker can keep over its restarts."""

import random
import socket

HOST = "127.0.0.1"
# Below the range from which systems pick the near end of outgoing connections: while a broker is down, a client that
# tries to reconnect could be given the broker's own port there, and so keep it, or even be connected to itself.
LOWEST, HIGHEST = 20_000, 32_000

_given_away: set[int] = set()


def free_port() -> int:
    """A port on the loopback interface that nobody listens on, and that this process has not given away before."""
    while True:
        port = random.randint(LOWEST, HIGHEST)
        if port not in _given_away and _is_free(port):
            _given_away.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
