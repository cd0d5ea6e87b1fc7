"""Goodgate: an LLM gateway whose usage figures cannot be gamed."""

__version__ = "0.1.0"
