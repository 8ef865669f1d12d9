"""The past: Claude Code's own session logs, read for what was used before this program was there to be told."""
