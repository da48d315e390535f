"""The control socket: how the command line speaks to the running gateway of a home.

hermes tree ──{"id", "verb", "args"}──▶ <home>/run/control.sock ──▶ gateway
            ◀──{"id", "ok": true, "result"}──
            ◀──{"id", "ok": false, "error": {"type", "message", "hint"}}──

frames     the codec: pure, bounded, for both sides
endpoint   the socket file: bind it, reach it, know who is at the other end
client     one blocking question, without Trio, so that the command line starts fast
"""
