"""HTTP/1.1 towards workers, on Trio's streams: endpoint, connection, pool, response, client."""
