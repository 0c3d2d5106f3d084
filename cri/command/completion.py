"""`lading completion`: a script that lets a shell complete verbs, options, images and operations.

The script asks `lading` at each Tab; names come from the daemon (`names`). Bash ends words at colons, which tags have,
so it gets a script of its own.
"""

import json
import os

import click
from click.shell_completion import (
    BashComplete,
    FishComplete,
    add_completion_class,
    get_completion_class,
)

from cri.command.exit_codes import ExitCode, exits

VARIABLE = "_LADING_COMPLETE"
"""Set by the scripts when the shell wants completions."""

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' answer type value
    local line=${COMP_LINE:0:COMP_POINT}
    local word=${line##*[[:space:]]}
    for answer in $(env COMP_LINE="$line" %(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$answer"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                # bash takes what stands behind the last colon for the whole word
                if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
                    value=${value#"${word%%"${word##*:}"}"}
                fi
                [[ $value == *: ]] && compopt -o nospace
                COMPREPLY+=("$value")
                ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Completes whole words out of the line, whatever bash takes for a word."""

    source_template = _BASH

    def source(self) -> str:
        """Return the script, without asking a bash for its version as click does."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        """Split the line up to the cursor; what stands behind the last space is begun."""
        line: str = os.environ.get("COMP_LINE", "")
        words = line.split()  # nothing that is completed here needs quotes
        begun = words.pop() if words and not line[-1:].isspace() else ""
        return words[1:], begun


class _Fish(FishComplete):
    """Completes as click does, but keeps what stands behind a comma in a description."""

    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )


def register() -> None:
    """Put our ways of completing for bash and fish in the place of click's."""
    add_completion_class(_Bash)
    add_completion_class(_Fish)


@exits(asks_daemon=False)
@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, shell: str, as_json: bool) -> int:
    r"""Print the script by which a shell completes verbs, options, images and operations.

    \b
    Examples:
      source <(lading completion bash)
      lading completion zsh > ~/.zfunc/_lading
      lading completion fish > ~/.config/fish/completions/lading.fish
    """
    from cri.command.command_line import lading

    register()
    found = get_completion_class(shell)
    assert found is not None  # the choice above has no other shell
    script = found(lading, {}, "lading", VARIABLE).source()
    if as_json:
        document = {"schema": "lading.completion/v1", "shell": shell, "script": script}
        click.echo(json.dumps(document))
    else:
        click.echo(script, nl=False)
    return ExitCode.OK
