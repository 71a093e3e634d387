"""The way to the same numbers again: the commands, and the files that they read.

Conventions: everything that the commands need is in their text or in the bundle; a run of a plan
is repeated from `plan.yaml`, a forgetting panel from `panel.yaml`, a fine-tune from
`training.yaml`. Shell words are quoted.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from spectcount import documents
from spectcount.configs import (
    AskConfig,
    CompareConfig,
    ConfirmConfig,
    Json,
    PanelConfig,
    RunConfig,
    TuneConfig,
    WordingsConfig,
)
from spectcount.listeners import EMBEDDED, ListenerSpec
from spectcount.report.evidence import Evidence
from spectcount.store import Run

PLAN_FILE, PANEL_FILE, TRAINING_FILE = "plan.yaml", "panel.yaml", "training.yaml"
PROGRAM = "python -m spectcount"
END = "END_OF_FILE"


def input_file(run: Run) -> tuple[str, str]:
    """(name, text) of the preset file that the commands read."""
    if run.of_kind.trains:
        names: tuple[str, ...] = ("curriculum", "lora", "train")
        parts = {name: run.config[name] for name in names if name in run.config}
        return TRAINING_FILE, _yaml(run, "Training", parts)
    if run.of_kind.tabled and run.of_kind.judged:
        return PANEL_FILE, _yaml(run, "Panel", {"parts": PanelConfig.from_json(run.config).parts})
    return PLAN_FILE, _yaml(run, "Plan", {"plan": AskConfig.from_json(run.config).plan})


def commands(run: Run) -> list[str]:
    """The command lines that ask the same again, once the input file is there; for a fine-tune
    whose regions no command can name, lines of Python."""
    return COMMANDS[run.kind](run)


def _probe_commands(run: Run) -> list[str]:
    return [
        f"{_program(run)} probe {PLAN_FILE} --listener {name} {_tail(run)}" for name in _quoted(run)
    ]


def _listen_commands(run: Run) -> list[str]:
    return [f"{_program(run)} listen {PLAN_FILE} --name {_quoted(run)[0]} {_tail(run)}"]


def _confirm_commands(run: Run) -> list[str]:
    config, program = ConfirmConfig.from_json(run.config), _program(run)
    return [
        f"{program} probe {PLAN_FILE} --listener {_quoted(run)[0]} --seed {config.map_seed}",
        f"{program} confirm RUN --trials {config.trials} {_tail(run)}  # RUN: the run that the "
        "first one printed",
    ]


def _wordings_commands(run: Run) -> list[str]:
    first, *second = _quoted(run)
    who = f"--listener {first}" + (f" --tuned {second[0]}" if second else "")
    count = f"--count {len(WordingsConfig.from_json(run.config).wordings)}"
    return [f"{_program(run)} wordings {PLAN_FILE} {who} {count} {_tail(run)}"]


def _compare_commands(run: Run) -> list[str]:
    base, tuned = _quoted(run)[:2]
    margin = CompareConfig.from_json(run.config).margin
    ending = "" if margin is None else f" --margin {margin!r}"
    both = f"--base {base} --tuned {tuned}"
    return [f"{_program(run)} {run.kind} {input_name(run)} {both} {_tail(run)}{ending}"]


def _quoted(run: Run) -> list[str]:
    """The listeners as shell words."""
    return [shlex.quote(name) for name in run.listeners]


def _tail(run: Run) -> str:
    return f"--seed {RunConfig.from_json(run.config).seed}"


def input_name(run: Run) -> str:
    """Name of the file that the commands read."""
    return {"tune": TRAINING_FILE, "panel": PANEL_FILE}.get(run.kind, PLAN_FILE)


def shell_block(run: Run) -> str:
    """The input file and the commands as one block to paste into a shell."""
    name, text = input_file(run)
    return f"cat > {name} <<'{END}'\n{text}{END}\n" + "\n".join(commands(run)) + "\n"


def needs(evidence: Evidence) -> list[str]:
    """Adapters, models and recordings of one's own that must be there before, in sentences."""
    listed = []
    run = evidence.run
    for name in run.listeners or (TuneConfig.from_json(run.config).base,):
        spec = ListenerSpec.parse(name)
        adapter = spec.adapter
        if "/" in adapter:
            listed.append(f"The adapter {adapter}, at the same place or commit.")
        elif adapter and adapter != "example":
            listed.append(
                f"The adapter {adapter}: put the folder adapter/ of its bundle at "
                f"runs/{adapter}/adapter in the home folder."
            )
        base = spec.base
        if not (base.is_formula or str(base.hearing) in (EMBEDDED, "")):
            listed.append(f"The model {base}: its folder at models/{base} in the home folder.")
    carriers = sorted(evidence.trials.tally.carriers)
    if carriers:
        listed.append(
            "The recordings with these hashes, which stay with whoever made them: "
            + ", ".join(carriers)
        )
    return list(dict.fromkeys(listed))


def how_exact(run: Run) -> str:
    """To which digit the numbers come back."""
    if run.of_kind.by_person:
        return (
            "The questions come back exactly. The answers were a person's: another sitting gives "
            "other numbers, and the intervals say by how much."
        )
    if run.of_kind.trains:
        return (
            "Every clip, every step and every random number comes from the seed, on a fixed number "
            "of threads. The same machine with the same versions gives the same adapter; other "
            "processors or versions round differently, and the adapter differs a little."
        )
    return (
        "Observers and simulated listeners give the same numbers to the last digit on every "
        "machine. A model does so on the same kind of device with the same versions, asked in a "
        "home folder without earlier runs; elsewhere its scores differ in the last digits."
    )


def _program(run: Run) -> str:
    return PROGRAM if run.device == "cpu" else f"{PROGRAM} --device {shlex.quote(run.device)}"


def _tune_commands(run: Run) -> list[str]:
    config = TuneConfig.from_json(run.config)
    base, seed, regions = config.base, config.seed, list(config.regions)
    if not regions:
        return [
            f"{_program(run)} tune {TRAINING_FILE} --listener {shlex.quote(base)} --seed {seed} "
            "--wait"
        ]
    call = (
        f"actions.start_tune(settings, {TRAINING_FILE!r}, {base!r}, regions=regions, seed={seed})"
    )
    regions_json = json.dumps(json.dumps(regions, sort_keys=True))
    return [
        f"python - <<'{END}'",
        "import json",
        "from spectcount import actions, jobs",
        "from spectcount.settings import load_settings",
        "from spectcount.store import Store",
        f"settings = load_settings(device={run.device!r})",
        f"regions = json.loads({regions_json})",
        f"run = {call}",
        "print(jobs.wait(Store(settings.database), settings, run.id).id)",
        END,
    ]


COMMANDS = {
    "probe": _probe_commands,
    "compare": _compare_commands,
    "panel": _compare_commands,
    "wordings": _wordings_commands,
    "confirm": _confirm_commands,
    "listen": _listen_commands,
    "tune": _tune_commands,
}


def _yaml(run: Run, what: str, body: Json) -> str:
    source = run.lineage.get({"tune": "training", "panel": "panel"}.get(run.kind, "probe"))
    preset = f" From the preset {Path(str(source)).stem}." if source else ""
    head = {
        "title": f"{what} of {run.id}",
        "about": f"What the {run.kind} run {run.id} was made of, complete.{preset}",
    }
    return documents.to_yaml({**head, **body})
