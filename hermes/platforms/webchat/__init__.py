"""Chat in the browser: the adapter that needs nothing outside.

adapter  the ports.Adapter: rooms, receipts          room  the tabs that show one chat
"""
