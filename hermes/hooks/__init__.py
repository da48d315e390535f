"""What hooks are told and may answer, as data; ``hermes.plugins.hooks`` loads them, ``actors.hooks`` runs them.

events     their names, and who hears which       payloads  what is told with each
manifest   HOOK.yaml                              answers   what a handler may say
programs   shell hooks, and the consent to them
"""
