"""SpectCount: map where audio language models are deaf, repair it, and show that it is repaired."""

__version__ = "0.1.0"

import os

# Read by torch's libraries when it is imported, hence here. Threads that wait spin by default; page
# and worker on the same cores then slow each other down several times over. oneDNN keeps what it
# compiled for the last 1,024 shapes, and clips of all lengths make ever new ones: a fine-tune of
# the embedded model grew to 1.4 GB in 170 steps, and stays below 1 GB with 16.
_USUAL = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16",
}
for _name, _value in _USUAL.items():
    os.environ.setdefault(_name, _value)
