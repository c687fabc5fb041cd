"""What Groq says in words of its own; all else is the OpenAI dialect."""
