"""Formats. Pure: bytes and dictionaries in, domain objects out, and back."""
