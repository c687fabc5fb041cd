"""Edge: logs."""
