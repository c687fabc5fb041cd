"""The Gemini dialect, spoken to workers alone."""
