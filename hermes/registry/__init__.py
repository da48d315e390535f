"""The platforms that there are, and the accounts of them that are to run; the tools and agents that there are.

entry      what is known of a platform, as data            registry   all entries, and the gates before an adapter
accounts   which accounts the settings ask for             tools      all tools, and which of them are offered
agents     what makes an agent of somebody else's
"""
