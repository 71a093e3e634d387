"""Bodies of requests: of bounded size, arriving at a bounded pace.

*Conventions*: a body may take `GRACE_S` and a second for each `SLOWEST_BYTES_PER_S` that came; a
connection that has sent no whole request may be idle for `QUIET_S`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from spectcount.errors import UserError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

GRACE_S = 20.0
SLOWEST_BYTES_PER_S = 10_000
QUIET_S = 20.0


class Refusal(UserError):
    """A request that is not let in: status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def too_large(length: str, most: int) -> Refusal:
    """The refusal of a body of `length` bytes where `most` may be sent."""
    return Refusal(413, f"the request has {length[:20]} bytes, the limit is {most}; send less")


async def read(receive: Receive, most: int) -> bytes:
    """The whole body, of at most `most` bytes."""
    receive, body = paced(receive), bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the request ended before its end; send it again")
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large(f"more than {most}", most)
        if not message.get("more_body"):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever the connection says."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


def counted(receive: Receive, most: int, spend: Callable[[int], None]) -> Receive:
    """The stream, ended where it grows beyond `most` bytes or beyond what the visitor has left."""
    receive, total = paced(receive), 0

    async def next_part() -> Message:
        nonlocal total
        message = await receive()
        n = len(message.get("body", b""))
        total += n
        if total > most:
            raise too_large(f"more than {most}", most)
        spend(n)
        return message

    return next_part


def paced(receive: Receive) -> Receive:
    """The stream, refused where the body arrives too slowly; what follows the body may wait."""
    start_s, n_bytes, ended = time.monotonic(), 0, False

    async def next_part() -> Message:
        nonlocal n_bytes, ended
        if ended:
            return await receive()
        end_s = start_s + GRACE_S + n_bytes / SLOWEST_BYTES_PER_S
        try:
            # A second at least: what has arrived is read, however late the server comes to it.
            wait_s = max(1.0, end_s - time.monotonic())
            message = await asyncio.wait_for(receive(), wait_s)
        except TimeoutError:
            raise _too_slow(n_bytes, start_s) from None
        n_bytes += len(message.get("body", b""))
        ended = not message.get("more_body")
        if not ended and time.monotonic() > end_s + 1.0:
            raise _too_slow(n_bytes, start_s)
        return message

    return next_part


def _too_slow(n_bytes: int, start_s: float) -> Refusal:
    return Refusal(
        408,
        f"{n_bytes} bytes of the request came in {time.monotonic() - start_s:.0f} s and more are "
        f"missing; send at least {SLOWEST_BYTES_PER_S} bytes a second",
    )


def close_quiet_connections(server: Any) -> None:
    """From now on close the connections of a running uvicorn server that send no whole request:
    each holds a file descriptor, and the server itself waits for good."""
    loop = server.servers[0].get_loop()
    since: dict[Any, tuple[Any, float]] = {}

    def look() -> None:
        now, waiting = time.monotonic(), {}
        for connection in list(server.server_state.connections):
            answered = getattr(connection, "cycle", None)
            if answered is None or answered.response_complete:
                before, start_s = since.get(connection, (answered, now))
                waiting[connection] = (answered, start_s if before is answered else now)
                if now - waiting[connection][1] > QUIET_S:
                    connection.transport.close()
        since.clear()
        since.update(waiting)
        loop.call_later(QUIET_S / 8, look)

    loop.call_soon_threadsafe(look)
