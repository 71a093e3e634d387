"""Adaptive procedures: the next level from the answers so far."""
