// On what edgecore's daemon runs: Node.js with the flags that make it small, or the lean profile, the same bundle on Bun
// without its compiler, which takes less memory. docs/benchmarks.md has the figures of both.
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandLineError } from './commands/command-line-error.ts';
import { installedRoot } from './site/installed-root.ts';

export const edgeRuntimes = ['node', 'lean'] as const;
export type EdgeRuntime = (typeof edgeRuntimes)[number];

/** What becomes the daemon. */
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Each trades speed that an edge does not need for memory that it does. */
const smallNode = [
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

/** The folder that a daemon happens to be started in configures nothing and gets nothing installed. */
const leanBun = ['--smol', '--no-install', '--no-env-file', '--config=/dev/null'];

/** One thread that collects garbage, and a heap that is let grow by little. */
const withoutCompiler = {
  BUN_JSC_useJIT: '0',
  BUN_JSC_useConcurrentGC: '0',
  BUN_JSC_numberOfGCMarkers: '1',
  BUN_JSC_minHeapUtilization: '0.95',
  BUN_JSC_miniVMHeapGrowthFactor: '1.05',
};

/**
 * Each thread that reads files or looks up names touches memory of its own. Certificates that a host trusts for all
 * programs would be read and kept (1.3 MB) without being used: edgecore trusts the CA of its cluster alone.
 */
const smallEnvironment = { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2', NODE_EXTRA_CA_CERTS: '' };

/** `--runtime` as it was given, else `$KEDGE_EDGE_RUNTIME`, else Node.js. Throws for names of neither. */
export function edgeRuntimeOf(flag: string | undefined, environment: NodeJS.ProcessEnv): EdgeRuntime {
  const name = flag ?? (environment['KEDGE_EDGE_RUNTIME'] || 'node');
  const runtime = edgeRuntimes.find((known) => known === name);
  if (runtime === undefined) throw new CommandLineError(`--runtime is ${edgeRuntimes.join(' or ')}, not "${name}"`);
  return runtime;
}

/** `folder` is where the bundles are. Throws when the runtime is not installed. */
export async function launchOn(runtime: EdgeRuntime, folder: string): Promise<Launch> {
  if (runtime === 'node') {
    const args = [...smallNode, join(folder, 'edgecore-daemon.cjs')];
    return { program: process.execPath, args, environment: smallEnvironment };
  }
  return {
    program: await findBun(installedRoot()),
    args: [...leanBun, join(folder, 'edgecore-daemon.lean.cjs')],
    environment: { ...smallEnvironment, ...withoutCompiler },
  };
}

const packageOf: Readonly<Record<string, string>> = { x64: 'bun-linux-x64', arm64: 'bun-linux-aarch64' };

async function findBun(root: string): Promise<string> {
  const found = join(
    root,
    'node_modules',
    '@oven',
    packageOf[process.arch] ?? `bun-linux-${process.arch}`,
    'bin',
    'bun',
  );
  const mayRun = await access(found, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!mayRun) {
    throw new CommandLineError(`the lean runtime is not installed (${found}): run npm install, or use --runtime node`);
  }
  return found;
}
