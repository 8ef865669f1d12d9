"""Connects the clients: finds them, shows what would change in their settings, changes it, takes it back."""
