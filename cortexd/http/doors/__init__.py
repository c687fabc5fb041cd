"""The dialects clients speak, free of any web framework."""
