"""Settings: read once at the start, passed down, never a global.

The environment gives the defaults (SPECTCOUNT_HOME, SPECTCOUNT_MODE, SPECTCOUNT_DEVICE,
SPECTCOUNT_ROOT, SPECTCOUNT_SCORER_IDLE_S), arguments win over it. `demo` is the mode of a public
page: listed models only, caps on what one visitor may ask for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spectcount import carriers, devices, visitors
from spectcount.errors import UserError

MAX_HOME_BYTES = 480
MODES = ("local", "demo")
PACKAGE_ROOT = Path(__file__).resolve().parent
"""The folder of the package, which holds `presets/` too."""
_FOLDERS = {
    "carriers": "recordings can neither be used nor added",
    "models": "models of your own are not listed and none can be fetched",
    "presets": "presets of your own are not listed and none can be saved",
    "benchmarks": "sounds of benchmarks cannot be fetched",
}
"""Folders in the home that may be there, and what is lost where something else has their name."""
IDLE_VARIABLE = "SPECTCOUNT_SCORER_IDLE_S"
SCORER_IDLE_S = 900.0
LONGEST_IDLE_S = 1e7
_DEVICE = re.compile(r"cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Limits:
    """Limits of a mode, and the guards of the job queue.

    `max_upload_s`: longest clip read from a file (a model's own window may be shorter);
    `stop_timeout_s`: how long a stopping job may take to finish its step before it is terminated,
    and again before it is killed; `min_free_mb`: free disk space without which no job starts;
    `max_steps`: of one fine-tune; `max_queued`: runs of one visitor that wait or work, and of all;
    `max_open_sessions`: listening sessions of one visitor.
    """

    max_upload_s: float = 600.0
    max_upload_mb: float = 50.0
    max_events: int = 40
    max_trials: int = 1_000_000
    max_json_mb: float = 8.0
    max_steps: int = 1_000_000
    max_queued: int = 1_000
    max_queued_in_all: int = 1_000
    max_open_sessions: int = 1_000
    stop_timeout_s: float = 60.0
    min_free_mb: float = 200.0


DEMO_LIMITS = Limits(
    max_upload_s=30.0,
    max_upload_mb=10.0,
    max_events=20,
    max_trials=2_000,
    max_json_mb=1.0,
    max_steps=2_000,
    max_queued=2,
    max_queued_in_all=20,
    max_open_sessions=3,
)


def limits_of_visitor() -> Limits:
    """The limits that hold right now: a visitor of a public page has less than the
    owner of the machine."""
    return Limits() if visitors.acting() is None else DEMO_LIMITS


@dataclass(frozen=True)
class Settings:
    """Where things are and what is allowed. `root` is the folder that holds `presets/`; `home`
    holds everything that a user makes; the resident scorer ends when it was asked nothing for
    `scorer_idle_s` (0: there is none, whoever asks holds the models)."""

    mode: str
    home: Path
    device: str
    root: Path = PACKAGE_ROOT
    limits: Limits = Limits()
    scorer_idle_s: float = SCORER_IDLE_S

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UserError(f"mode={self.mode!r} is not known; choose one of {', '.join(MODES)}")
        if not _DEVICE.fullmatch(self.device):
            raise UserError(
                f"device={self.device!r} is not known; give auto, cpu, mps, cuda or cuda:N"
            )
        if not 0 <= self.scorer_idle_s <= LONGEST_IDLE_S:
            raise UserError(
                f"SPECTCOUNT_SCORER_IDLE_S={self.scorer_idle_s:g} is no time; give 0 (no resident "
                f"scorer) to {LONGEST_IDLE_S:g} seconds"
            )

    @property
    def demo(self) -> bool:
        return self.mode == "demo"

    @property
    def presets(self) -> Path:
        """The presets that are shipped."""
        return self.root / "presets"

    @property
    def own_presets(self) -> Path:
        """The presets that the user saved."""
        return self.home / "presets"

    @property
    def models(self) -> Path:
        """The models that are shipped, each a folder, and their adapters."""
        return self.presets / "models"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def database(self) -> Path:
        return self.home / "spectcount.sqlite"

    def damaged_places(self) -> list[str]:
        """A sentence for each name in the home folder that should be a folder and is not, and for
        each own model that a shipped one hides."""
        places = {self.home / name: effect for name, effect in _FOLDERS.items()}
        hidden = [
            self.home / "models" / config.parent.name
            for config in self.models.glob("*/config.json")
        ]
        return [
            *(
                f"{place} is no folder, so {effect}; rename or remove it"
                for place, effect in places.items()
                if os.path.lexists(place) and not place.is_dir()
            ),
            *(
                f"{place} has the name of a shipped model, which is used in its place; rename it, "
                f"or write path:{place}"
                for place in hidden
                if os.path.lexists(place)
            ),
        ]

    def environment(self) -> dict[str, str]:
        """The variables from which `load_settings` makes these settings in another process."""
        return {
            "SPECTCOUNT_MODE": self.mode,
            "SPECTCOUNT_HOME": str(self.home),
            "SPECTCOUNT_DEVICE": self.device,
            "SPECTCOUNT_ROOT": str(self.root),
            IDLE_VARIABLE: f"{self.scorer_idle_s:g}",
        }


def typed_path(text: str | Path) -> Path:
    """A path that a user wrote, `~` written out. Raises `UserError` where no file can be called
    so, or may be looked at: a name too long, a user that is not there."""
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{str(text)[:80]!r} cannot be read as a path ({why}); give another"
        ) from None
    return path


def _home(written: str | Path) -> Path:
    """The home folder's path. Raises `UserError` for one whose store SQLite could not open: its
    paths have 512 bytes."""
    try:
        folder = typed_path(written).resolve()
    except RuntimeError as error:
        raise UserError(f"the home folder cannot be used ({error}); give another") from None
    n, most = len(os.fsencode(folder)), MAX_HOME_BYTES
    if n > most:
        raise UserError(
            f"the home folder {str(folder)[:60]}... has a path of {n} bytes, the limit is {most}; "
            "give another with --home or SPECTCOUNT_HOME"
        )
    return folder


def _seconds(written: str | float) -> float:
    try:
        return float(written)
    except ValueError:
        raise UserError(f"{IDLE_VARIABLE}={written!r} is no number of seconds; give 900") from None


def load_settings(
    mode: str | None = None,
    home: str | Path | None = None,
    device: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings from arguments, then the environment, then the defaults (mode local, on a Hugging
    Face Space demo; home ~/.spectcount, device auto: see `devices.choose`). Makes the home folder;
    raises `UserError` where it cannot."""
    usual = "demo" if environ.get("SPACE_ID") else "local"
    mode = mode or environ.get("SPECTCOUNT_MODE") or usual
    wanted = device or environ.get("SPECTCOUNT_DEVICE") or devices.AUTO
    folder = _home(home or environ.get("SPECTCOUNT_HOME") or "~/.spectcount")
    settings = Settings(
        mode=mode,
        home=folder,
        device=devices.choose(environ) if wanted == devices.AUTO else wanted,
        root=Path(environ.get("SPECTCOUNT_ROOT") or PACKAGE_ROOT).resolve(),
        limits=DEMO_LIMITS if mode == "demo" else Limits(),
        scorer_idle_s=_seconds(environ.get(IDLE_VARIABLE) or SCORER_IDLE_S),
    )
    try:
        settings.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if os.path.lexists(settings.runs):
            raise UserError(
                f"{settings.runs} is no folder ({error.strerror}), and runs are folders in it; "
                "rename it, or give another home with --home or SPECTCOUNT_HOME"
            ) from None
        raise UserError(
            f"the home folder {folder} cannot be made ({error.strerror}); give another with "
            "--home or SPECTCOUNT_HOME"
        ) from None
    carriers.use_folder(settings.home / "carriers")
    return settings
