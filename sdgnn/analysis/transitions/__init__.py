"""Transitions of temperature: order parameters and their fluctuations, where they say that order sets in, tempering."""
