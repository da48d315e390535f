"""One variable of a ``.env`` text, set or unset: all other lines, remarks and their order stay as they are. Pure."""

import re

from hermes.config.dotenv import bindings_in

_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+=-]*")


def set_variable(text: str, name: str, value: str | None) -> str:
    """``text`` with the variable as ``value``, None to take it out. Where it stands more than once the last counts, and the
    others go. ``value`` holds no line end and no NUL.

    Raises ``ValueError`` where it would not be read as it is written, because of a quote that is open above it.
    """
    bindings = bindings_in(text)
    those = [number for number, one in enumerate(bindings) if one.key == name and not one.error]
    lines: list[str] = []
    for number, one in enumerate(bindings):
        if number not in those:
            lines.append(one.original.string)
        elif number == those[-1] and value is not None:
            lines += _before(one.original.string), f"{name}={_quoted(value)}\n"
    if value is not None and not those:
        if lines and not lines[-1].endswith("\n"):
            lines.append("\n")
        lines.append(f"{name}={_quoted(value)}\n")
    after = "".join(lines)
    if {one.key: one.value for one in bindings_in(after)}.get(name) != value:
        raise ValueError(f"{name} cannot be written below a quote that stays open; mend that by hand")
    return after


def set_variables(text: str, variables: "dict[str, str | None]") -> str:
    """``set_variable`` for each of them."""
    for name, value in variables.items():
        text = set_variable(text, name, value)
    return text


def _before(said: str) -> str:
    """The empty lines above a binding, and its ``export``."""
    empty = said[: len(said) - len(said.lstrip())]
    return empty + ("export " if said.lstrip().startswith("export ") else "")


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
