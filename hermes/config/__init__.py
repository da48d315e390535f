"""Configuration: defaults < ``config.yaml`` < environment < flags, checked once, frozen ever after.

model   every key there is, with its default and its meaning     load   the files and the environment → ``Config``
paths   where the home and the shipped files are
"""
