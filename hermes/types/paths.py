"""How a name stands in the path of an actor, for those who look for one there."""

from supervisors.spec import path_segment

__all__ = ["path_segment"]
