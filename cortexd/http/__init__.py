"""Doors: HTTP in, the pipeline behind."""
