"""Transfer benchmarks: real questions about real sounds, never seen in tuning.

MMAU, MMAR, MMSU and AIR-Bench Foundation, read from their official files, asked of any listener,
scored twice: as each official script would, gotchas included, and strictly. `python -m spectcount
benchmark run` and `run.execute` are the ways in; `docs/benchmarks.md` explains the numbers.
"""
