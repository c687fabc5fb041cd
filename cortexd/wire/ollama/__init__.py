"""The Ollama dialect: chat, generate, embed and the listings."""
