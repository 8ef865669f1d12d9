"""Doors and clock: sockets, signals, command line, schedules, printing."""
