"""Starts the daemon at login and after a crash: by systemd, launchd, or the shell's profile where there is neither."""
