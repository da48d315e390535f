"""The platforms that there are, and the accounts of them that are to run.

entry      what is known of a platform, as data            registry   all entries, and the gates before an adapter
accounts   which accounts the settings ask for
"""
