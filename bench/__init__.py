"""Measurements of what the daemon's foundations cost. Run by `make bench`, no part of any test."""
