"""``hermes completion``: what a shell reads so that TAB completes commands and options; click makes it."""

import click
from click.shell_completion import BashComplete, get_completion_class

PROGRAM, VARIABLE = "hermes", "_HERMES_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog='bash and zsh: eval "$(hermes completion bash)" in ~/.bashrc, or zsh in ~/.zshrc. fish: hermes completion fish >'
    " ~/.config/fish/completions/hermes.fish"
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what SHELL reads to complete commands and options with TAB."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    made = found(click.Group(), {}, PROGRAM, VARIABLE)
    # BashComplete.source would run a bash to learn its version, and print the same whatever that is.
    text = made.source_template % made.source_vars() if isinstance(made, BashComplete) else made.source()
    click.echo(text)
