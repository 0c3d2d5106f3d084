"""`lading completion`: a script that lets a shell complete verbs, options and shells. Asks no daemon."""

import click
from click.shell_completion import get_completion_class

from cri.command.exit_codes import ExitCode


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> int:
    r"""Print a shell's completion script.

    \b
    Examples:
      source <(lading completion bash)
      lading completion zsh > ~/.zfunc/_lading
      lading completion fish > ~/.config/fish/completions/lading.fish
    """
    from cri.command.command_line import lading

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(lading, {}, "lading", "_LADING_COMPLETE").source())
    return ExitCode.OK
