"""What nodes share over Redis. Only importer of coredis; a node without it is complete."""
