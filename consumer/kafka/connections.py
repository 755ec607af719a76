"""Repairs of how aiokafka 0.14.0 connects, logs in and waits; `guards` asserts the version that they are written against."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiokafka import client, conn, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import OAuthAuthenticator

_create_connection = client.create_conn
_bootstrap = AIOKafkaClient.bootstrap
_next_step = OAuthAuthenticator.step


@dataclass(slots=True)
class _Attempt:
    """What has come of a bootstrap so far."""

    connections: list[Any] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


# By task: a context would be inherited by the client's own task, which meets failures for as long as an outage lasts.
_attempts: "dict[asyncio.Task[Any] | None, _Attempt]" = {}


async def connect(*address: Any, ssl_context: Any = None, sasl_plain_password: Any = None, **options: Any) -> Any:
    """A connection to host and port, as all clients make them from now on.

    T23: what can be rotated is given as a function, and asked for at each connection, not once in a client's life.

    T24: whatever goes wrong in a handshake is a failed connection. aiokafka expects no other errors there than its own
    and the network's; one of Kerberos, or a signature that is wrong, would end the background task that met it.
    """
    attempt = _attempts.get(asyncio.current_task()) or _Attempt()
    try:
        connection = await _create_connection(
            *address,
            ssl_context=ssl_context() if callable(ssl_context) else ssl_context,
            sasl_plain_password=sasl_plain_password() if callable(sasl_plain_password) else sasl_plain_password,
            **options,
        )
    except (errors.KafkaError, OSError, TimeoutError) as error:
        attempt.failures.append(error)
        raise
    except Exception as error:
        failure = errors.AuthenticationFailedError(f"{type(error).__name__}: {error}")
        attempt.failures.append(failure)
        raise failure from error
    attempt.connections.append(connection)
    return connection


async def _bootstrap_and_tell(self: AIOKafkaClient) -> None:
    """T25: where no address is of use, the error of the last one is raised, which is otherwise only logged.

    T38: one that is cut short closes the connection that it asks for metadata; aiokafka leaves it to the collector.
    """
    task, attempt = asyncio.current_task(), _Attempt()
    _attempts[task] = attempt
    try:
        await _bootstrap(self)
    except errors.KafkaConnectionError:
        if not attempt.failures:
            raise
        raise attempt.failures[-1] from None
    except BaseException:
        for connection in attempt.connections:
            connection.close()
        raise
    finally:
        del _attempts[task]


async def _step_minding_refusal(self: OAuthAuthenticator, payload: bytes | None) -> Any:
    """T26: a broker that answers a token with anything at all has refused it (RFC 7628, 3.2.3).

    aiokafka takes that for a login, goes on, and asks for metadata, in vain and without a pause.
    """
    if payload:
        raise errors.SaslAuthenticationFailed(f"the token is refused: {_status(payload)}")
    return await _next_step(self, payload)


async def within(awaited: "asyncio.Future[Any]", timeout_s: float) -> Any:
    """No trap but a toll: a timer alone bounds a wait, without the context that aiokafka enters and leaves for each.

    Raises:
        TimeoutError: *timeout_s* seconds have passed. Nobody else can settle what was awaited any more.
    """
    timer = asyncio.get_running_loop().call_later(timeout_s, _give_up, awaited)
    try:
        return await awaited
    finally:
        timer.cancel()


def _give_up(awaited: "asyncio.Future[Any]") -> None:
    if not awaited.done():
        awaited.set_exception(TimeoutError())


def _status(refusal: bytes) -> str:
    try:
        return str(json.loads(refusal)["status"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def install() -> None:
    """Put the repairs in place; more than once does no harm."""
    client.create_conn = connect
    AIOKafkaClient.bootstrap = _bootstrap_and_tell
    OAuthAuthenticator.step = _step_minding_refusal
    conn.wait_for = within
