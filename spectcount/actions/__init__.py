"""Everything that a user can do, as plain functions; page, command line and API call only these.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`.
"""

from spectcount.actions.benchmarks import (
    benchmark_lines,
    benchmark_report,
    benchmarks,
    export_benchmark,
    start_benchmark,
)
from spectcount.actions.carriers import Carrier, add_carrier, carriers
from spectcount.actions.comparing import (
    HELD_OUT_SEED,
    panel_parts,
    start_compare,
    start_panel,
    start_wordings,
)
from spectcount.actions.confirming import start_confirm
from spectcount.actions.lineage import adapter_lineage, seen_before
from spectcount.actions.listening import (
    ListenOptions,
    give_answer,
    next_question,
    start_listening,
    stop_listening,
)
from spectcount.actions.live import LiveAnswer, Superseded, ask_live, ask_strip, drop_live
from spectcount.actions.models import (
    check_model,
    end_scorer,
    forecast_model,
    get_model,
    model_facts,
    models,
    models_in_memory,
    refuse_tuning_too_large,
    unload_models,
)
from spectcount.actions.presets import PresetRow, preset_rows
from spectcount.actions.questions import (
    AskResult,
    ask,
    ask_each,
    ask_stream,
    refuse_unknown_listener,
)
from spectcount.actions.report import audiofolder, export, figure_files, figure_names, write_report
from spectcount.actions.runs import (
    cancel,
    probe_plan,
    resume,
    start_again,
    start_probe,
    start_tune,
    training_config,
)
from spectcount.actions.shortcuts import shortcuts
from spectcount.actions.sounds import (
    describe_families,
    draw_stimulus,
    load_clip,
    preset_stimulus,
    read_stimulus,
    render,
    sent_stimulus,
)
from spectcount.actions.starting import refuse_many_trials
from spectcount.actions.tidying import remove_runs, rename_run, run_called
from spectcount.actions.where import start_ladder, start_patch, where_lines
from spectcount.pairs import COUNTERPART, SIDES, SIGNAL, pair_tasks, usual_task
