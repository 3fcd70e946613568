// The command line: picks a command by its name and loads only that one.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { explain } from '@kedge/core/errors';
import { CommandLineError } from './commands/command-line-error.ts';
import { usage } from './commands/usage.ts';

type Values = Record<string, string | boolean | undefined>;

interface Command {
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** Words that are no options are handed on; without it they are errors. */
  readonly positionals?: true;
  run(values: Values, words: readonly string[]): Promise<number>;
}

const data = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const daemon = { config: data, defaultconfig: flag, minconfig: flag, version: flag, help: flag } as const;

const commands: Readonly<Record<string, Command>> = {
  up: {
    options: { data, detach: flag, node: data, 'port-base': data, 'encryption-provider-config': data, help: flag },
    run: async (values) => (await import('./commands/up.ts')).up(values),
  },
  down: { options: { data, help: flag }, run: async (values) => (await import('./commands/down.ts')).down(values) },
  status: {
    options: { data, output: { ...data, short: 'o' }, help: flag },
    run: async (values) => (await import('./commands/status.ts')).status(values),
  },
  cloudcore: {
    options: daemon,
    run: async (values) => (await import('./commands/cloudcore.ts')).runCloudcore(values),
  },
  apiserver: {
    options: {
      config: data,
      'encryption-provider-config': data,
      controllers: data,
      'disable-controllers': flag,
      'disable-scheduler': flag,
      'audit-log-path': data,
      'audit-policy-file': data,
      'audit-log-maxsize': data,
      'audit-log-maxbackup': data,
      'audit-log-maxage': data,
      help: flag,
    },
    run: async (values) => (await import('./commands/apiserver.ts')).runApiServer(values),
  },
  backup: {
    options: { data, out: data, help: flag },
    run: async (values) => (await import('./commands/backup.ts')).backup(values),
  },
  restore: {
    options: { data, from: data, help: flag },
    run: async (values) => (await import('./commands/restore.ts')).restore(values),
  },
  mapper: {
    options: { 'config-file': data, help: flag },
    positionals: true,
    run: async (values, words) => (await import('./commands/mapper.ts')).mapper(values, words),
  },
  doctor: { options: { help: flag }, run: async () => (await import('./commands/doctor.ts')).doctor() },
  version: { options: { help: flag }, run: async () => (await import('./commands/version.ts')).version() },
};

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') return commands.version!.run({}, []);
  const command = commands[name];
  if (!command) throw new CommandLineError(`there is no command "${name}"; "kedge help" lists them`);
  const { options, positionals: allowPositionals = false } = command;
  const { values, positionals } = parseArgs({ args: rest, options, strict: true, allowPositionals });
  if (values.help) {
    process.stdout.write(usage(name));
    return 0;
  }
  return command.run(values as Values, positionals);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const badArguments =
      error instanceof CommandLineError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`kedge: ${explain(error)}\n`);
    process.exitCode = badArguments ? 2 : 1;
  },
);
