"""The web edge: one server for the page, the health probes and every adapter's routes.

server   the socket and anycorn                    door    what every request must pass: Host, Origin, size, time
app      our routes, and one catch-all             auth    one-time links and browser sessions
socket   a web socket in our own terms             page    the static page, in memory
"""
