"""The command line of this room, a file for each command: restore, export, safety, describe."""
