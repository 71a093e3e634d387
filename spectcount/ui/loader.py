"""Loading and fetching models behind the page: one at a time, in a thread, telling how far it is.

Conventions: all pages of this app share one `Loader`, as they share the models in memory; what
went wrong is kept as a sentence until the next attempt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from spectcount import actions, listeners
from spectcount.errors import UserError
from spectcount.listeners import EMBEDDED, ListenerSpec
from spectcount.settings import Settings

Work = Callable[[Callable[[str, int, int], None]], Any]


class Loader:
    """The model being loaded or fetched, or the last one. `spec` names it; `share` is in 0..1, None
    where it is not known."""

    def __init__(self, settings: Settings, spec: str = EMBEDDED) -> None:
        self.spec = spec
        self.share: float | None = None
        self.error = ""
        self._settings = settings
        self._doing = "loading"
        self._words = ""
        self._started_at: float | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to load the first model; nothing where something was begun before."""
        if self._started_at is None:
            self.load(self.spec)

    def load(self, spec: str) -> None:
        """Begin to load a model. Raises `UserError` while another is under way."""
        self._begin("loading", spec, lambda report: listeners.load(spec, self._settings, report))

    def get(self, name: str, revision: str = "") -> None:
        """Begin to fetch a model from the hub; the same."""
        self._begin(
            "fetching",
            name,
            lambda report: actions.get_model(self._settings, name, revision, report),
        )

    def _begin(self, doing: str, spec: str, work: Work) -> None:
        with self._lock:
            if self.busy:
                raise UserError(f"{self._doing} {self.spec} is under way; wait until it is done")
            self._doing, self.spec = doing, spec
            self.error, self._words, self.share = "", "", None
            self._started_at = time.monotonic()
            self._thread = threading.Thread(
                target=self._run, args=(work,), name=f"{doing} {spec}", daemon=True
            )
            self._thread.start()

    def _run(self, work: Work) -> None:
        try:
            work(self._report)
        except UserError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            raise

    def _report(self, words: str, done: int, total: int) -> None:
        self._words = words
        self.share = done / total if total else None

    @property
    def busy(self) -> bool:
        """Something is under way."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def kind(self) -> str:
        """loading, ready or failed."""
        if self.busy or self._started_at is None:
            return "loading"
        return "failed" if self.error else "ready"

    @property
    def words(self) -> str:
        """The state of loading, e.g. "tiny-lalm ready"."""
        if self._started_at is None:
            return f"{self.spec} not loaded yet"
        if self.busy:
            words = self._words if self.spec in self._words else f"{self._doing} {self.spec}"
            far = "" if self.share is None else f", {100 * self.share:.0f} %"
            return f"{words}{far}, {time.monotonic() - self._started_at:.0f} s"
        if self.error:
            return f"{self.spec} not available: {self.error}"
        return f"{self.spec} ready" if self._doing == "loading" else f"{self.spec} is on this disk"


def status_of(settings: Settings, loader: Loader, base: str) -> tuple[str, str]:
    """(kind, words) about the chosen base: loading, ready, failed, or idle where it is loaded at
    the first question."""
    if loader.busy or (loader.spec == base and loader.kind != "ready"):
        return loader.kind, loader.words
    if in_memory(settings, base):
        return "ready", f"{base} ready"
    return "idle", f"{base} is loaded at the first question"


def in_memory(settings: Settings, spec: str) -> listeners.Resident | None:
    """The model of a listener in memory; None where it is not, or the listener is no model."""
    heard = ListenerSpec.parse(str(spec)).hearing
    heard.refuse_unknown_options()
    name = "" if heard.is_formula else str(heard.base)
    return next((row for row in actions.models_in_memory(settings) if row.name == name), None)
