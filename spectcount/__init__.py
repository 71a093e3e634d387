"""SpectCount: map where audio language models are deaf, repair it, and show that it is repaired."""

__version__ = "0.1.0"
