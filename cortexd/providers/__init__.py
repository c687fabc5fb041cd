"""Edge: the adapters that speak to workers."""
