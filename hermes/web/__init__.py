"""The web edge: one server for the page, the health probes and every adapter's routes.

server   the socket and anycorn                    door    what every request must pass: Host, Origin, size, time
app      our routes, and one catch-all             auth    one-time links and browser sessions
socket   a web socket in our own terms             keys    the routes that want a key
streams  an answer that comes piece by piece       page    the static page, in memory
"""
