"""Built-in task domains: generated prompts together with a program that knows every step's truth."""
