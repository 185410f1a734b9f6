/** `flota completion`: a script for the shell, written from the commands; nothing runs while one types. */
import { type Command, commonOptions } from './command.ts';
import { CliError } from './errors.ts';

export function completion(others: Command[]): Command {
  return {
    name: 'completion',
    operands: ['SHELL'],
    summary: 'a script that completes commands and options: bash or zsh',
    examples: [
      'bash > ~/.local/share/bash-completion/completions/flota',
      'zsh > ~/.flota-completion   # and source it in ~/.zshrc',
    ],
    async run({ operands: [shell], out }) {
      if (shell !== 'bash' && shell !== 'zsh')
        throw CliError.of('usage', `"${shell}" is neither bash nor zsh`);
      out.show({ script: writeScript(others, shell) }, writeScript(others, shell));
    },
  };
}

function writeScript(commands: Command[], shell: 'bash' | 'zsh'): string {
  const branches = commands.flatMap((command) => {
    const specs = { ...command.options, ...commonOptions };
    const pattern = command.name.includes(' ') ? `"${command.name}"` : `"${command.name} "*`;
    const values = Object.entries(specs)
      .filter(([, { values }]) => values)
      .map(
        ([name, { values }]) =>
          `    ${pattern.replace(/\*$/, '')}*:--${name}) words="${values!.join(' ')}" ;;`,
      );
    const names = Object.keys(specs).map((name) => `--${name}`);
    return [...values, `    ${pattern.replace(/\*$/, '')}*:*) words="${names.join(' ')}" ;;`];
  });
  const groups = new Map<string, string[]>();
  for (const { name } of commands) {
    const [first, second] = name.split(' ');
    groups.set(first!, [...(groups.get(first!) ?? []), ...(second ? [second] : [])]);
  }
  const firsts = [...groups].filter(([, seconds]) => seconds.length > 0);
  return `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}# Made by \`flota completion ${shell}\`
_flota() {
  local current previous word words first="" second=""
  current="\${COMP_WORDS[COMP_CWORD]}"
  previous="\${COMP_WORDS[COMP_CWORD-1]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      -*) ;;
      *) if [ -z "$first" ]; then first="$word"; elif [ -z "$second" ]; then second="$word"; fi ;;
    esac
  done
  case "$first $second:$previous" in
${branches.join('\n')}
${firsts.map(([first, seconds]) => `    "${first} "*) words="${seconds.join(' ')}" ;;`).join('\n')}
    *) words="${[...groups.keys(), 'completion', '--help', '--version'].join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _flota flota`;
}
