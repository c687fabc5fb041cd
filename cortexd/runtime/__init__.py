"""Root: puts the parts together and runs them."""
