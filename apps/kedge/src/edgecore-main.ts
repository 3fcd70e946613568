// The edge's starter: reads flags and configuration, then becomes the daemon. A process of its own for this costs
// nothing afterwards: the daemon never loads the YAML reader and the schemas, nor keeps what they left in memory.
import { parseArgs } from 'node:util';
import { explain } from '@kedge/core/errors';
import { createLog, formatRecord } from '@kedge/core/log';
import {
  readCredentialProviders,
  readEdgeCoreConfig,
  writeEdgeCoreDefaults,
  writeEdgeCoreMinimum,
} from '@kedge/model/componentconfig';
import { createHost } from '@kedge/platform/linux';
import { systemClock } from '@kedge/platform/node';
import { CommandLineError } from './commands/command-line-error.ts';
import { readConfigFile } from './commands/config-file.ts';
import { usage } from './commands/usage.ts';
import { version } from './commands/version.ts';
import { askedRuntime, chooseRuntime, type Launch, launchOn } from './edge-runtime.ts';
import { type EdgeCoreSettingsRead, handOver, starterVariable } from './edgecore-settings.ts';

async function main(args: string[]): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const options = {
    config: { type: 'string' },
    runtime: { type: 'string' },
    defaultconfig: flag,
    minconfig: flag,
    checkconfig: flag,
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
  const settings = await withCredentialProviders(
    readEdgeCoreConfig(await readConfigFile(values.config, 'kedge edgecore'), facts),
  );
  const { runtime, fault } = await chooseRuntime(askedRuntime(values.runtime, process.env));
  if (values.checkconfig) {
    for (const warning of settings.warnings) process.stdout.write(`${warning}\n`);
    return 0;
  }
  if (fault !== undefined) {
    createLog({
      now: systemClock.now,
      write: (record) => process.stderr.write(`${formatRecord(record)}\n`),
      level: 'info',
    })
      .child({ component: 'edgecore' })
      .warn('runs on Node.js, which takes more memory', { reason: fault });
  }
  const launch = launchOn(runtime, import.meta.dirname);
  return becomeDaemon(
    launch,
    handOver(settings, { ...process.env, ...launch.environment, [starterVariable]: process.execPath }),
  );
}

/** Their configuration is a file of its own, which the daemon has no reader for. */
async function withCredentialProviders(settings: EdgeCoreSettingsRead): Promise<EdgeCoreSettingsRead> {
  const { edged } = settings.config;
  if (!edged.credentialProviderFiles) return settings;
  const { config: path, binDirectory } = edged.credentialProviderFiles;
  const { file } = await readConfigFile(path, 'a credential provider');
  const credentialProviders = { binDirectory, providers: readCredentialProviders(file?.content, path) };
  return { ...settings, config: { ...settings.config, edged: { ...edged, credentialProviders } } };
}

/** The same process id goes on as the daemon. */
function becomeDaemon({ program, args }: Launch, environment: NodeJS.ProcessEnv): never {
  // The same arguments again, so that a list of processes tells several edges apart.
  return process.execve!(program, [program, ...args, ...process.argv.slice(2)], environment);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const code = String((error as { code?: string }).code);
    process.stderr.write(`kedge edgecore: ${explain(error)}\n`);
    process.exitCode = error instanceof CommandLineError || code.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  },
);
