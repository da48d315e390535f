"""HTTP for adapters and agents, and the only door to httpx; nothing of it leaks out.

    Client ──request──▶ Way, one a purpose ─┬─▶ Pool ─▶ Connection                    phases are known exactly
                        poll │ send │ files └─▶ httpx's own, where a proxy leads there  phases as the kind of error tells

client    what is used: one client an incarnation, one pool a purpose
content   what a request says: place, headers, body
lean      httpx without what it brings for the command line
ways      how it gets there, and what failures mean on the way through a proxy
"""
