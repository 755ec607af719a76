"""Fetch sessions (KIP-227): the broker remembers what a connection asks for, and both sides tell only what is new.

T34: aiokafka asks for every partition by every fetch, and has an answer about each, although most have nothing to say.
"""

from collections import defaultdict
from collections.abc import Awaitable, Iterable
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.fetch import FetchRequest

FIRST_EPOCH = 0  # of a request for a new session, and for all partitions; it ends the one whose id it bears
LAST_EPOCH = 2**31 - 1

Place = tuple[str, int]

_send = AIOKafkaConnection.send


class Session:
    """What the broker at the other end of a connection remembers. A request that is not answered, or by an error, ends it."""

    def __init__(self) -> None:
        self._id = 0
        self._epoch = FIRST_EPOCH
        self._latest: Any = None
        self._known: dict[Place, Any] = {}

    def narrow(self, request: Any) -> None:
        """Leave of *request* what the broker does not know."""
        asked = {(topic, partition[0]): partition for topic, partitions in request.topics for partition in partitions}
        if self._epoch != FIRST_EPOCH:
            news = {place: partition for place, partition in asked.items() if self._known.get(place) != partition}
            request.topics = _by_topic((topic, partition) for (topic, _), partition in news.items())
            request.forgotten_topics_data = _by_topic(self._known.keys() - asked.keys())
        request.session_id, request.session_epoch = self._id, self._epoch
        self._known, self._latest = asked, request
        self._epoch = FIRST_EPOCH

    def go_on(self, request: Any, response: Any) -> None:
        """Ask the next time for what is new since *request*, unless the broker has forgotten it or cannot remember more."""
        if request is not self._latest:
            return
        self._id = response.session_id
        if self._id and not response.error_code:
            self._epoch = request.session_epoch % LAST_EPOCH + 1


class InSession:
    """A request, as aiokafka's connection treats it: it is built when the version is known that both sides speak."""

    def __init__(self, request: FetchRequest, session: Session) -> None:
        self._request = request
        self._session = session
        self._built: Any = None

    def prepare(self, versions: Any) -> Any:
        """The request in that version."""
        self._built = self._request.prepare(versions)
        if _has_sessions(self._built):
            self._session.narrow(self._built)
        return self._built

    async def answered(self, response: Awaitable[Any]) -> Any:
        """The *response*, once the session has taken note of it."""
        answer = await response
        if _has_sessions(answer):
            self._session.go_on(self._built, answer)
        return answer


def _has_sessions(message: Any) -> bool:
    return "session_id" in message.SCHEMA.names


def _by_topic(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, list[Any]]]:
    grouped: defaultdict[str, list[Any]] = defaultdict(list)
    for topic, what in pairs:
        grouped[topic].append(what)
    return list(grouped.items())


def _send_in_session(self: Any, request: Any, expect_response: bool = True) -> Any:
    if not isinstance(request, FetchRequest):
        return _send(self, request, expect_response)
    if not hasattr(self, "fetch_session"):
        self.fetch_session = Session()
    in_session = InSession(request, self.fetch_session)
    return in_session.answered(_send(self, in_session))


def install() -> None:
    """Have all fetches sent that way; more than once does no harm."""
    AIOKafkaConnection.send = _send_in_session
