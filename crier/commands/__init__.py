"""The commands, one file each, with what it shows."""
