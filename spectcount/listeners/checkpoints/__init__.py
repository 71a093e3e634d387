"""Checkpoints before and while they are in memory: names, cards, files, what they need."""
