"""What holds for every test."""

from hypothesis import settings

# The same examples on every run, and no deadline: two cores that others use too say nothing about the code.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")
