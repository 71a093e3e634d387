"""How to get the same numbers again: the commands, and the files that they read.

Conventions: everything that the commands need is in their text or in the bundle; a run of a plan
is repeated from `plan.yaml`, a forgetting panel from `panel.yaml`, a fine-tune from
`training.yaml`. Shell words are quoted.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.listeners import EMBEDDED, ListenerSpec
from spectcount.report.evidence import Evidence
from spectcount.store import Run

PLAN_FILE, PANEL_FILE, TRAINING_FILE = "plan.yaml", "panel.yaml", "training.yaml"
PROGRAM = "python -m spectcount"
END = "END_OF_FILE"


def input_file(run: Run) -> tuple[str, str]:
    """(name, text) of the preset file that the commands read."""
    if run.kind == "tune":
        names: tuple[str, ...] = ("curriculum", "lora", "train")
        parts = {name: run.config[name] for name in names if name in run.config}
        return TRAINING_FILE, _yaml(run, "Training", parts)
    if run.kind == "panel":
        return PANEL_FILE, _yaml(run, "Panel", {"parts": run.config["parts"]})
    return PLAN_FILE, _yaml(run, "Plan", {"plan": run.config["plan"]})


def commands(run: Run) -> list[str]:
    """The command lines that ask the same again, once the input file is there; for a fine-tune
    whose regions no command can name, lines of Python."""
    if run.kind == "tune":
        return _tune_commands(run)
    listeners = [shlex.quote(str(name)) for name in run.config["listeners"]]
    tail = f"--seed {int(run.config.get('seed', 0))}"
    program = _program(run)
    if run.kind == "listen":
        return [f"{program} listen {PLAN_FILE} --name {listeners[0]} {tail}"]
    if run.kind == "confirm":
        n, mapped = run.config["trials"], int(run.config["map_seed"])
        return [
            f"{program} probe {PLAN_FILE} --listener {listeners[0]} --seed {mapped}",
            f"{program} confirm RUN --trials {n} {tail}  # RUN: the run that the first one printed",
        ]
    if run.kind == "wordings":
        second = f"--tuned {listeners[1]} " if len(listeners) > 1 else ""
        count = f"--count {len(run.config['wordings'])}"
        return [f"{program} wordings {PLAN_FILE} --listener {listeners[0]} {second}{count} {tail}"]
    if run.kind in ("compare", "panel"):
        margin = run.config.get("margin")
        both = f"--base {listeners[0]} --tuned {listeners[1]}"
        ending = tail if margin is None else f"{tail} --margin {margin!r}"
        return [f"{program} {run.kind} {input_name(run)} {both} {ending}"]
    return [f"{program} probe {PLAN_FILE} --listener {name} {tail}" for name in listeners]


def input_name(run: Run) -> str:
    """Name of the file that the commands read."""
    return {"tune": TRAINING_FILE, "panel": PANEL_FILE}.get(run.kind, PLAN_FILE)


def shell_block(run: Run) -> str:
    """The input file and the commands as one block to paste into a shell."""
    name, text = input_file(run)
    return f"cat > {name} <<'{END}'\n{text}{END}\n" + "\n".join(commands(run)) + "\n"


def needs(evidence: Evidence) -> list[str]:
    """What must be there before, in sentences: adapters, models and recordings of one's own."""
    found = []
    for name in evidence.run.config.get("listeners") or [evidence.run.config.get("base", "")]:
        spec = ListenerSpec.parse(str(name))
        adapter = spec.adapter
        if "/" in adapter:
            found.append(f"The adapter {adapter}, at the same place or commit.")
        elif adapter and adapter != "example":
            found.append(
                f"The adapter {adapter}: put the folder adapter/ of its bundle at "
                f"runs/{adapter}/adapter in the home folder."
            )
        base = spec.base
        if not (base.is_formula or str(base.hearing) in (EMBEDDED, "")):
            found.append(f"The model {base}: its folder at models/{base} in the home folder.")
    carriers = sorted({e["carrier"] for t in evidence.trials for e in _sounds(t) if _carried(e)})
    if carriers:
        found.append(
            "The recordings with these hashes, which stay with whoever made them: "
            + ", ".join(carriers)
        )
    return list(dict.fromkeys(found))


def how_exact(run: Run) -> str:
    """To which digit the numbers come back."""
    if run.kind == "listen":
        return (
            "The questions come back exactly. The answers were a person's: another sitting gives "
            "other numbers, and the intervals say by how much."
        )
    if run.kind == "tune":
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
    base, seed = str(run.config["base"]), int(run.config.get("seed", 0))
    regions = run.config.get("regions") or []
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


def _yaml(run: Run, what: str, body: dict[str, Any]) -> str:
    source = run.lineage.get({"tune": "training", "panel": "panel"}.get(run.kind, "probe"))
    preset = f" From the preset {Path(str(source)).stem}." if source else ""
    head = {
        "title": f"{what} of {run.id}",
        "about": f"What the {run.kind} run {run.id} was made of, complete.{preset}",
    }
    return documents.to_yaml({**head, **body})


def _sounds(trial: Any) -> list[dict[str, Any]]:
    stimulus = trial.stimulus or {}
    return [*stimulus.get("events", ()), *stimulus.get("background", ())]


def _carried(event: dict[str, Any]) -> bool:
    return bool(event.get("carrier"))
