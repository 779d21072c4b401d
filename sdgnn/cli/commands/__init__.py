"""What each command does, as functions of its configuration; the demo is composed of the same functions."""
