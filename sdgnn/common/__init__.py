"""Helpers that no physics depends on: errors, files, locks, processes, memory, seeds."""
