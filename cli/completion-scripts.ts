/** Completion scripts for bash, zsh and fish, from a plain list of commands and options. */

export interface ShownOption {
  readonly flags: readonly string[];
  readonly what: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

export interface Shown {
  readonly name: string;
  readonly what: string;
  readonly options: readonly ShownOption[];
  /** What its first argument may be, where that is a fixed choice. */
  readonly choices: readonly string[];
}

/** Options whose values are files or folders; those of any other option are left to the user. */
const FILES = new Set(['--config', '--state', '--folder', '--data', '--archive', '--prices']);

const isFile = ({ flags }: ShownOption): boolean => flags.some((flag) => FILES.has(flag));

/** Quoted for a shell, in single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function bashScript(commands: readonly Shown[]): string {
  const cases = commands.map(({ name, options, choices }) => {
    const flags = options.flatMap((option) => option.flags);
    return `    ${name}) words=${quoted([...flags, ...choices].join(' '))} ;;`;
  });
  const files = commands.flatMap(({ options }) => options.filter(isFile).flatMap(({ flags }) => flags));
  return `# Completion of tailrace for bash.
_tailrace() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words
  case $previous in
    ${[...new Set(files)].join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    help) words=${quoted(commands.map(({ name }) => name).join(' '))} ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=${quoted([...commands.map(({ name }) => name), 'help', '--help', '--version'].join(' '))}
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _tailrace tailrace
`;
}

export function zshScript(commands: readonly Shown[]): string {
  const described = (what: string): string => what.replaceAll(/[[\]:]/g, ' ');
  const argumentsOf = ({ options, choices }: Shown): string => {
    const lines = options.flatMap((option) =>
      option.flags.map((flag) => {
        const values =
          option.choices.length > 0 ? `(${option.choices.join(' ')})` : isFile(option) ? '_files' : ' ';
        return quoted(`${flag}[${described(option.what)}]${option.takesValue ? `:value:${values}` : ''}`);
      }),
    );
    if (choices.length > 0) lines.push(quoted(`1:choice:(${choices.join(' ')})`));
    return lines.join(' \\\n        ');
  };
  return `#compdef tailrace
_tailrace() {
  local -a commands
  commands=(
${commands.map(({ name, what }) => `    ${quoted(`${name}:${what}`)}`).join('\n')}
    'help:show the options of a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${commands.map((command) => `    ${command.name})\n      _arguments \\\n        ${argumentsOf(command)} ;;`).join('\n')}
    help) _describe command commands ;;
  esac
}
_tailrace "$@"
`;
}

export function fishScript(commands: readonly Shown[]): string {
  const lines = ['# Completion of tailrace for fish.', 'complete -c tailrace -f'];
  for (const { name, what, options, choices } of commands) {
    lines.push(`complete -c tailrace -n __fish_use_subcommand -a ${name} -d ${quoted(what)}`);
    const when = quoted(`__fish_seen_subcommand_from ${name}`);
    for (const option of options) {
      const flags = option.flags.map((flag) =>
        flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      const values = option.choices.length > 0 ? ` -a ${quoted(option.choices.join(' '))}` : '';
      const value = option.takesValue ? (isFile(option) ? ' -r -F' : ` -x${values}`) : '';
      lines.push(`complete -c tailrace -n ${when} ${flags.join(' ')}${value} -d ${quoted(option.what)}`);
    }
    if (choices.length > 0) lines.push(`complete -c tailrace -n ${when} -a ${quoted(choices.join(' '))}`);
  }
  return `${lines.join('\n')}\n`;
}
