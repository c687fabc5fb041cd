"""The Cohere dialect, version 2, spoken to workers alone."""
