"""Typed configurations of everything the command line does."""
