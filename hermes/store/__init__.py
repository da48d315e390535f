"""The gateway's memory: SQLite, one writer thread, a small pool of readers.

ops      every write there is, as data             queries  every read there is, as functions
schema   tables and migrations                     feed     a chat as its page shows it
apply    the SQL behind each operation             codec    what is in the payload columns
writer   group commit in one thread                backlog  operations on their way to the writer
memory   the in-memory double: same SQL, in line   errors   what SQLite raises, in our words
"""
