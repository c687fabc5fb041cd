"""The LLM gateway that never lies about a stream and never goes down with a provider."""
