"""Writing results so that nobody's file is ever lost.

`atomic` writes a file whole or not at all. `claims` says which files a command
may write, replace and remove, and keeps two commands out of one output.
`locks` holds the locks, `checks` what is asked before the work.
"""
