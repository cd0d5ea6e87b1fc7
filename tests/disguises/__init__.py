"""Disguises of prompts, traps that only look like them, and a corpus to try both on."""
