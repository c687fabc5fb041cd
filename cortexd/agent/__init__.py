"""The agent: stands beside model servers on another host, and brings them into a fleet."""
