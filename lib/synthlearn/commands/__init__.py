"""The command line's commands: their arguments, and what each calls and prints."""
