"""The model that comes with the gateway: an engine process and the worker in front of it."""
