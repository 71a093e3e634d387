"""Pure functions from answers to sensitivity, bias and their intervals."""
