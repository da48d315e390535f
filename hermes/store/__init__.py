"""The gateway's memory: SQLite, one writer thread, a small pool of readers.

ops      every write there is, as data             queries  every read there is, as functions
schema   tables and migrations                     apply    the SQL behind each operation, many rows a statement
writer   group commit in one thread                memory   the in-memory double: same SQL, run in line
"""
