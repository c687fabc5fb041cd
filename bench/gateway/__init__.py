"""What cortexd costs beside LiteLLM's proxy and nginx: `python -m bench.gateway --help`."""
