"""How many users nodes bear: `python -m bench.load --help`."""
