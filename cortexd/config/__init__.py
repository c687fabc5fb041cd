"""Composition of all settings into one checked whole."""
