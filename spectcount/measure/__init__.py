"""Waveforms measured: what sounds in them, and how that compares with what was declared."""

from spectcount.measure.stretches import Row
from spectcount.measure.table import declared_and_measured
from spectcount.measure.waveform import Measured, measure
