"""What is really in a waveform, and how that compares with what was declared."""

from spectcount.measure.table import declared_and_measured
from spectcount.measure.waveform import Measured, measure
