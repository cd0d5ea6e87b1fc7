"""Tests of the room that says what a call is for."""
