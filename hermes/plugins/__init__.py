"""What comes from elsewhere, in this order: built in < ``<home>/plugins/`` < entry points of installed packages.

builtin    the platforms that we ship         recognise   plug-ins that are not for us, by their source alone
home       directories with a plugin.yaml     discover    imports them, each in a thread of its own, with a deadline
context    what a plug-in is handed           brought     what all of them have brought
foreign    their functions, to be awaited

Hooks, from plug-ins, ``<home>/hooks/`` and the configuration:

hooks      finds and imports them             calls       calls one, in a thread, as a program, or in place
asyncio_thread   where those run that are written for asyncio
"""
