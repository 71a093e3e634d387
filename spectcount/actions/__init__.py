"""What a user can do, as plain functions: the page, the command line and the API call only these.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`.
"""

from spectcount.actions.benchmarks import (
    benchmark_lines,
    benchmark_prompts,
    benchmark_report,
    benchmarks,
    export_benchmark,
    start_benchmark,
)
from spectcount.actions.carriers import Carrier, add_carrier, carriers
from spectcount.actions.comparing import (
    HELD_OUT_SEED,
    adapter_lineage,
    panel_parts,
    seen_before,
    start_compare,
    start_panel,
    start_wordings,
)
from spectcount.actions.gallery import write_gallery
from spectcount.actions.listening import (
    Asked,
    ListenOptions,
    give_answer,
    next_question,
    start_listening,
    stop_listening,
)
from spectcount.actions.questions import (
    AskResult,
    ask,
    ask_each,
    ask_stream,
    refuse_foreign_model,
    refuse_unknown_listener,
)
from spectcount.actions.report import audiofolder, export, figure_files, figure_names, write_report
from spectcount.actions.runs import (
    cancel,
    probe_plan,
    resume,
    start_probe,
    start_tune,
    summary,
    training_config,
    weak_regions,
)
from spectcount.actions.sounds import (
    COUNTERPART,
    SIDES,
    SIGNAL,
    Rendered,
    describe_families,
    draw_stimulus,
    load_clip,
    pair_tasks,
    preset_stimulus,
    read_stimulus,
    render,
    usual_task,
)

__all__ = [
    "COUNTERPART",
    "HELD_OUT_SEED",
    "SIDES",
    "SIGNAL",
    "AskResult",
    "Asked",
    "Carrier",
    "ListenOptions",
    "Rendered",
    "adapter_lineage",
    "add_carrier",
    "ask",
    "ask_each",
    "ask_stream",
    "audiofolder",
    "benchmark_lines",
    "benchmark_prompts",
    "benchmark_report",
    "benchmarks",
    "cancel",
    "carriers",
    "describe_families",
    "draw_stimulus",
    "export",
    "export_benchmark",
    "figure_files",
    "figure_names",
    "give_answer",
    "load_clip",
    "next_question",
    "pair_tasks",
    "panel_parts",
    "preset_stimulus",
    "probe_plan",
    "read_stimulus",
    "refuse_foreign_model",
    "refuse_unknown_listener",
    "render",
    "resume",
    "seen_before",
    "start_benchmark",
    "start_compare",
    "start_listening",
    "start_panel",
    "start_probe",
    "start_tune",
    "start_wordings",
    "stop_listening",
    "summary",
    "training_config",
    "usual_task",
    "weak_regions",
    "write_gallery",
    "write_report",
]
