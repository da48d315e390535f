"""The platforms' blocks in the file. The one place that knows where they may stand; what comes later wins.

gateway.platforms.<p>  <  platforms.<p>  <  <p>
"""

from collections.abc import Iterator

from hermes.config.written import Written


def platform_name(written: str) -> str:
    """A platform's one name, however people write it."""
    return written.lower().replace("-", "_")


def platform_blocks(root: Written) -> Iterator[tuple[str, Written]]:
    """(platform, block), in order. At the top every section is one: which of them is a platform's, its reader has to know."""
    for parent in (root["gateway"]["platforms"], root["platforms"], root):
        for block in parent.entries:
            yield platform_name(block.key[-1]), block
