"""The commands of the command line, a file for each: its options, what it runs, and what it prints."""
