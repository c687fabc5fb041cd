"""State: the actors that own it, and what they publish for the hot path to read."""
