"""Judging: bytes in, safe rows out; pure: no I/O, no clock, no randomness but a key handed in."""
