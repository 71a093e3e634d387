"""Bounds on what can be sent, whatever the mode: memory and time of one document, stimulus or file.

What a mode allows on top of these (events, trials, seconds of an upload) is in `settings.Limits`.
*Conventions*: bytes, Hz, seconds, dBFS; every bound is inclusive.
"""

from __future__ import annotations

# Documents: YAML and JSON that people write or send. YAML is parsed in Python at about 0.1 MB/s.
MAX_YAML_BYTES = 200_000
MAX_JSON_BYTES = 1_000_000
MAX_ANNOTATION_BYTES = 40_000_000
"""An annotation file of a benchmark; the largest official one (AIR-Bench) has about 10 MB."""
MAX_DEPTH = 32
MAX_VALUES = 100_000
"""Values of one document, repetitions by alias counted out in full."""
MAX_ANNOTATION_VALUES = 2_000_000
MAX_ALIASES = 20

MAX_PLANS = 100
"""Plans in one interleaved run: each is tried for feasibility before it starts."""

# Stimuli.
MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ = 1_000, 48_000
MAX_DURATION_S = 30.0
MAX_EVENTS = 200
MAX_HARMONICS = 100
MAX_COMPONENTS = 400
"""Components of a noise band; more would only cost time."""
MIN_LEVEL_DBFS, MAX_LEVEL_DBFS = -300.0, 100.0
"""Beyond any use; they only keep 10 ** (level / 20) a finite number."""
MAX_SEED = 2**64 - 1
MAX_WORK = 400_000_000
"""Samples times components to be summed for one clip: about 12 s of one core."""

# Sound files.
MAX_CHANNELS = 8
MAX_FILE_SAMPLES = 60_000_000
"""Of one channel: 20 minutes at 48 kHz, 240 MB once decoded."""
MIN_FILE_RATE_HZ, MAX_FILE_RATE_HZ = 1_000, 384_000
