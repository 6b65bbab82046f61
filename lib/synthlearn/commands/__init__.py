"""The command line's commands, a file each: its arguments, its help and what it calls and prints.

``command.py`` says what a command is, ``table.py`` lists them, ``arguments.py`` holds the kinds of
arguments, ``selection.py`` which rows, seeds and measurements of the study the arguments mean, and
``catalogue.py`` the text of the lists. A command imports what it calls when it is called: help
needs no torch.
"""
