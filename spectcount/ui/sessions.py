"""Sessions of browsers that the page remembers: few, small, and shared out among visitors.

The framework keeps up to 10,000 sessions and with each a copy of the whole page, filled with the
last value of every box, for links into a session that this page does not offer. Here a session
holds what its handlers need: hidden states, and boxes whose choices or bounds have changed.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import Any

from gradio.state_holder import SessionState, StateHolder

from spectcount import visitors

MOST_SESSIONS = 400
"""A page that lost its session starts again with the boxes as they were laid out."""


class Sessions(StateHolder):
    """The framework's sessions, bounded: where there are too many, whoever has most of them loses
    the one that was used least lately."""

    def __getitem__(self, name: str) -> SessionState:
        """The session of this name, begun where there is none."""
        if name not in self.session_data:
            self._make_room()
            self.session_data[name] = self._begin()
        return super().__getitem__(name)

    def _begin(self) -> Session:
        if "_empty" not in self.__dict__:
            self._empty = Session(self.blocks)
        session = copy(self._empty)
        session.blocks_config = copy(self.blocks.default_config)
        session.state_data, session._state_ttl, session.config_values = {}, {}, {}
        session.visitor = visitors.acting()
        return session

    def _make_room(self) -> None:
        with self.lock:
            while len(self.session_data) >= MOST_SESSIONS:
                owners = Counter(session.visitor for session in self.session_data.values())
                most = owners.most_common(1)[0][0]
                name = next(n for n, s in self.session_data.items() if s.visitor == most)
                del self.session_data[name]
                self.time_last_used.pop(name, None)
                self._forget_events(name)

    def _forget_events(self, name: str) -> None:
        """Forget events of a session that ended and whose answers nobody fetched."""
        queue = self.blocks._queue
        events = queue.pending_event_ids_session.get(name, set())
        if not events & queue.event_ids_to_events.keys():
            queue.pending_event_ids_session.pop(name, None)
            queue.pending_messages_per_session.pop(name, None)


class Session(SessionState):
    """A session without a copy of the page. `visitor`: whose it is."""

    visitor: str | None = None

    def _update_config(self, key: int) -> None:
        """Keep nothing."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep nothing."""

    def __setitem__(self, key: int, value: Any) -> None:
        """Keep a hidden state, or a box that has changed."""
        super().__setitem__(key, value)
        self.config_values.pop(key, None)
