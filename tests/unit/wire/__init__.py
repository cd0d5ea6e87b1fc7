"""Tests of the languages callers speak."""
