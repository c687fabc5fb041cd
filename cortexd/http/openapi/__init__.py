"""The description of the data listener as an OpenAPI 3.1 document."""
