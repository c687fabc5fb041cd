"""The request: a list of layers, each a file."""
