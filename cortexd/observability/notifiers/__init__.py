"""Edge: the channels by which people are told of alerts."""
