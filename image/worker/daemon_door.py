"""The worker's end of the conversation: questions with numbers, so that several may be open at a time.

Promise: every question gets its own answer or an error; when the daemon closes its end, all of them fail at once. A
slot or flight that comes when nobody waits for it any more goes back at once.
Never waits while it tells something.
"""

import asyncio
from collections.abc import Mapping

from image.errors import Internal
from image.exchange.channel import Channel
from image.exchange.messages import WAITING_FOR, PullEvent, event_message, read_error
from image.model.descriptor import Descriptor
from image.model.digest import digest_hex
from image.model.json_document import JsonObject


class DaemonDoor:
    """Asks and tells the daemon; `listen` must run meanwhile."""

    def __init__(self, channel: Channel, subject: str) -> None:
        self._channel = channel
        self._subject = subject
        self._open: dict[int, asyncio.Future[JsonObject]] = {}
        self._count = 0
        self._closed = False
        self.bytes_per_second = 0
        """What each download of this worker may use; 0 is no limit."""

    async def listen(self) -> None:
        """Hand out answers until the daemon closes the conversation.

        Raises:
            FailedPrecondition: the daemon's frame is malformed.
        """
        try:
            while (message := await self._channel.receive()) is not None:
                if message.text("kind") == "rate":
                    self.bytes_per_second = message.integer("bytes_per_second")
                    continue
                question = self._open.pop(message.integer("ask"), None)
                if question is None or question.done():
                    self._give_back(message)
                else:
                    question.set_result(message)
        finally:
            self._closed = True
            for question in self._open.values():
                if not question.done():
                    question.set_exception(self._closed_error())

    async def ask(self, message: Mapping[str, object]) -> JsonObject:
        """Send a question and wait for its answer.

        Raises:
            ImageError: the daemon answered with an error, or closed the conversation.
        """
        if self._closed:
            raise self._closed_error()
        self._count += 1
        number = self._count
        question: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._open[number] = question
        self._channel.send({**message, "ask": number})
        try:
            answer = await question
        except asyncio.CancelledError:
            if question.done() and not question.cancelled() and question.exception() is None:
                self._give_back(question.result())
            raise
        finally:
            self._open.pop(number, None)
        if answer.text("kind") == "error":
            raise read_error(answer)
        return answer

    def _give_back(self, answer: JsonObject) -> None:
        """Return what came for somebody who has stopped waiting for it."""
        match answer.text("kind"):
            case "slot":
                self.tell({"kind": "slot done"})
            case "flight":
                self.tell({"kind": "flight done", "blob": answer.text("blob")})

    def tell(self, message: Mapping[str, object]) -> None:
        """Send something that wants no answer."""
        self._channel.send(message)

    def tell_waiting(self, blob: Descriptor, what: str) -> None:
        """Tell what the layer of a blob waits for."""
        layer, total = digest_hex(blob.digest)[:12], max(blob.size, 0)
        self.tell(event_message(PullEvent(status=WAITING_FOR + what, layer=layer, total=total)))

    async def wait_told(self) -> None:
        """Wait until the daemon has taken nearly everything."""
        await self._channel.wait_sent()

    def _closed_error(self) -> Internal:
        return Internal(self._subject, "daemon has closed the conversation")
