"""Listeners that are no model: the ideal observer, plain DSP, floors, simulations, a person."""
