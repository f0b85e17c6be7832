"""Prompts: reading files of them, families of alike ones, and splits that never share a family."""
