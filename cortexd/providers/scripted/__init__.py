"""The worker that replays a script: for tests of the gateway and for demonstrations."""
