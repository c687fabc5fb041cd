"""The Anthropic dialect: messages and token counts."""
