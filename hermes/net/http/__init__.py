"""HTTP for adapters and agents, and the only door to httpx; nothing of it leaks out.

    Client ──purpose──▶ httpx.AsyncClient ─┬─▶ Transport ─▶ Pool ─▶ Connection     phases are known exactly
      poll │ send │ files                  └─▶ httpx's own, where there is a proxy  phases as the kind of error tells

client      what is used: one client an incarnation, one pool a purpose
transport   what httpx stands on, and what its failures mean
"""
