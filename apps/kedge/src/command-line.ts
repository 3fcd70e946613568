// The frame of a command line: picks a command by its name, reads its flags, and turns what it throws into an exit code.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { explain } from '@kedge/core/errors';
import { CommandLineError } from './commands/command-line-error.ts';
import { usage } from './commands/usage.ts';

export type Values = Readonly<Record<string, string | boolean | undefined>>;

export interface Command {
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** Words that are no options are handed on; without it they are errors. */
  readonly positionals?: true;
  run(values: Values, words: readonly string[]): Promise<number>;
}

type Commands = Readonly<Record<string, Command>>;

/** Runs what the process was started with; its exit code is 2 when that makes no sense. */
export function runCommandLine(commands: Commands): void {
  run(commands, process.argv.slice(2)).then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      const badArguments =
        error instanceof CommandLineError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
      process.stderr.write(`kedge: ${explain(error)}\n`);
      process.exitCode = badArguments ? 2 : 1;
    },
  );
}

async function run(commands: Commands, args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') return commands['version']!.run({}, []);
  const command = commands[name];
  if (!command) throw new CommandLineError(`there is no command "${name}"; "kedge help" lists them`);
  const { options, positionals: allowPositionals = false } = command;
  const { values, positionals } = parseArgs({ args: rest, options, strict: true, allowPositionals });
  if (values['help']) {
    process.stdout.write(usage(name));
    return 0;
  }
  return command.run(values as Values, positionals);
}
