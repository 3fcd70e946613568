// The edge's starter: reads flags and configuration, then becomes the daemon. A process of its own for this costs
// nothing afterwards: the daemon never loads the YAML reader and the schemas, nor keeps what they left in memory.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explain } from '@kedge/core/errors';
import { readEdgeCoreConfig, writeEdgeCoreDefaults, writeEdgeCoreMinimum } from '@kedge/model/componentconfig';
import { createHost } from '@kedge/platform/linux';
import { CommandLineError } from './commands/command-line-error.ts';
import { readConfigFile } from './commands/config-file.ts';
import { usage } from './commands/usage.ts';
import { version } from './commands/version.ts';
import { handOver } from './edgecore-settings.ts';

/** Each trades speed that an edge does not need for memory that it does; docs/benchmarks.md has the figures. */
const smallFootprint = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  // Also takes WebAssembly away, which nothing here uses.
  '--jitless',
  '--v8-pool-size=1',
  '--single-threaded-gc',
  // The daemon collects garbage by the clock; code that did not run since goes too.
  '--expose-gc',
  '--bytecode-old-age=1',
];

/**
 * Each thread that reads files or looks up names touches memory of its own. Certificates that a host trusts for all
 * programs would be read and kept (1.3 MB here) without being used: edgecore trusts the CA of its cluster alone.
 */
const smallEnvironment = { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2', NODE_EXTRA_CA_CERTS: '' };

async function main(args: string[]): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const options = {
    config: { type: 'string' },
    defaultconfig: flag,
    minconfig: flag,
    version: flag,
    help: flag,
  } as const;
  const { values } = parseArgs({ args, options, strict: true });
  if (values.help) {
    process.stdout.write(usage('edgecore'));
    return 0;
  }
  if (values.version) return version();
  const facts = await createHost().facts();
  if (values.defaultconfig || values.minconfig) {
    process.stdout.write(values.minconfig ? writeEdgeCoreMinimum(facts) : writeEdgeCoreDefaults(facts));
    return 0;
  }
  const settings = readEdgeCoreConfig(await readConfigFile(values.config, 'kedge edgecore'), facts);
  return becomeDaemon(handOver(settings, { ...process.env, ...smallEnvironment }));
}

/** The same process id goes on as the daemon. */
function becomeDaemon(environment: NodeJS.ProcessEnv): never {
  const program = join(import.meta.dirname, 'edgecore-daemon.cjs');
  // The same arguments again, so that a list of processes tells several edges apart.
  const args = [process.execPath, ...smallFootprint, program, ...process.argv.slice(2)];
  return process.execve!(process.execPath, args, environment);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const code = String((error as { code?: string }).code);
    process.stderr.write(`kedge edgecore: ${explain(error)}\n`);
    process.exitCode = error instanceof CommandLineError || code.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  },
);
