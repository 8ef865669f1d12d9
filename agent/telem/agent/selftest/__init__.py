"""What is promised, tried on this machine: fake secrets in by every way there is, and none of them on the disk."""
