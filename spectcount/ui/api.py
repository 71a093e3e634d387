"""The typed functions of the API: `families`, `synthesise`, `ask`, `probe_status`, for
gradio_client and MCP.

Everything else on the page is private. Bad input is refused with the sentence that the page would
show. Arguments arrive as they were sent, so all of them are checked here or below.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from typing import Any

import gradio as gr

from spectcount import actions, documents
from spectcount.clips import wav_bytes
from spectcount.errors import UserError
from spectcount.measure.splatter import cautions
from spectcount.settings import Settings
from spectcount.store import Store
from spectcount.synth import synthesise as synthesise_stimulus
from spectcount.trials import Question


def build(settings: Settings, store: Store) -> None:
    """Register the functions, inside the page's `gr.Blocks`."""

    @_refusing
    def families() -> dict:
        """List everything that can be drawn and asked.

        Returns:
            families: a list of {family, title, tasks, listeners, parameters}. Each task has name,
            title, kind (yes_no, forced_choice, count or subjective), answers and the number of its
            wordings; each parameter has name, label, unit, kind, default, low, high, choices and
            help. `listeners` says in words which observers know the answer.
        """
        return {"families": actions.describe_families()}

    @_refusing
    def synthesise(
        family: str, params: dict, seed: int, side: str = "signal", task: str = ""
    ) -> dict:
        """Draw a stimulus and render it.

        Args:
            family: the design family, e.g. "pulses"; see `families`.
            params: its parameters by name, e.g. {"n_events": 3, "gap_ms": 80}; others keep their
                defaults.
            seed: which draw, a whole number from 0.
            side: "signal", or "counterpart": the same sound but with the second answer of a
                two-answer task true.
            task: the task whose two sounds are meant; empty: as drawn, or for a counterpart the
                family's usual task of two answers.

        Returns:
            hash, stimulus (JSON object), sample_rate in Hz, wav_base64 (32-bit float WAV), cautions
            (sentences on what its edges give away).
        """
        stimulus = actions.draw_stimulus(
            family, _mapping(params), seed, settings, task_name=task, side=side
        )
        data = wav_bytes(synthesise_stimulus(stimulus), stimulus.sample_rate)
        return {
            "hash": stimulus.hash,
            "stimulus": stimulus.to_dict(),
            "sample_rate": stimulus.sample_rate,
            "wav_base64": base64.b64encode(data).decode("ascii"),
            "cautions": cautions(stimulus),
        }

    @_refusing
    def ask(
        listener: str,
        family: str,
        params: dict,
        seed: int,
        task: str,
        wording: int = 0,
        side: str = "signal",
    ) -> dict:
        """Ask a listener one closed question about a stimulus.

        Args:
            listener: "tiny-lalm", "tiny-lalm@ADAPTER", "ideal", "dsp" or "first".
            family: the design family, e.g. "pulses"; see `families`.
            params: its parameters by name; others keep their defaults.
            seed: which draw, a whole number from 0.
            task: one of the family's tasks, e.g. "detect"; see `families`.
            wording: which of the task's wordings, from 0.
            side: "signal" (the task's first answer is true, where the design has such a sound) or
                "counterpart" (the second is).

        Returns:
            answer, truth (null where there is none), probabilities over the closed set, mass,
            reply, fingerprint and more.
        """
        stimulus = actions.draw_stimulus(
            family, _mapping(params), seed, settings, task_name=task, side=side
        )
        question = Question(stimulus, task, wording=wording)
        return actions.ask(settings, listener, question).to_dict()

    @_refusing
    def probe_status(run: str) -> dict:
        """Report how far a run is.

        Args:
            run: its id, as the page or the command line shows it.

        Returns:
            id, kind, state, reason, done, total, eta_s and, once it ended, summary.
        """
        stored = store.run(run)
        names = ("id", "kind", "state", "reason", "done", "total", "eta_s", "summary")
        return {name: getattr(stored, name) for name in names}

    gr.api(families, api_name="families", queue=False)
    gr.api(synthesise, api_name="synthesise")
    gr.api(ask, api_name="ask", concurrency_limit=1, concurrency_id="model")
    gr.api(probe_status, api_name="probe_status", queue=False)


def _mapping(params: Any) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise UserError(f'params={params!r} is no mapping; give {{"name": value}}')
    documents.check(params, "params")
    return params


def _refusing(function: Callable[..., dict]) -> Callable[..., dict]:
    """Refuse bad input with its own sentence instead of a blank error."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> dict:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return checked
