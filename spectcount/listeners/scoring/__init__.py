"""From questions to log-probabilities: batches, staged and stock path, speed."""
