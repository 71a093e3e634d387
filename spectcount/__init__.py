"""SpectCount: map where audio language models are deaf, repair it, and show that it is repaired."""

__version__ = "0.1.0"

import os

# Threads that wait spin by default; page and worker on the same cores then slow each other down
# several times over. Read by OpenMP when torch is imported, hence here.
for _name, _value in (("OMP_WAIT_POLICY", "PASSIVE"), ("GOMP_SPINCOUNT", "0")):
    os.environ.setdefault(_name, _value)
