// On what edgecore's daemon runs: the lean profile, the same bundle on Bun without its compiler, which takes less memory; or
// Node.js with the flags that make it small, where lean cannot run or is not wanted. docs/benchmarks.md has the figures of both.
import { execFile } from 'node:child_process';
import { constants, readFileSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
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

/** `--runtime` as it was given, else `$KEDGE_EDGE_RUNTIME`; undefined leaves it to us. Throws for names of neither. */
export function askedRuntime(flag: string | undefined, environment: NodeJS.ProcessEnv): EdgeRuntime | undefined {
  const name = flag ?? (environment['KEDGE_EDGE_RUNTIME'] || undefined);
  if (name === undefined) return undefined;
  const runtime = edgeRuntimes.find((known) => known === name);
  if (runtime === undefined) throw new CommandLineError(`--runtime is ${edgeRuntimes.join(' or ')}, not "${name}"`);
  return runtime;
}

/** Why lean cannot run here, or undefined when it can. */
export type LeanFault = () => Promise<string | undefined>;

export interface Choice {
  readonly runtime: EdgeRuntime;
  /** Why it is not lean, though nobody asked for Node.js. */
  readonly fault?: string;
}

/** Lean where it can run, unless something else was asked for. Throws when lean was and cannot. */
export async function chooseRuntime(
  asked: EdgeRuntime | undefined,
  leanFault: LeanFault = findLeanFault,
): Promise<Choice> {
  if (asked === 'node') return { runtime: 'node' };
  const fault = await leanFault();
  if (fault === undefined) return { runtime: 'lean' };
  if (asked === 'lean') throw new CommandLineError(`the lean runtime cannot run here: ${fault}; use --runtime node`);
  return { runtime: 'node', fault };
}

/** `folder` is where the bundles are. */
export function launchOn(runtime: EdgeRuntime, folder: string): Launch {
  if (runtime === 'node') {
    const args = [...smallNode, join(folder, 'edgecore-daemon.cjs')];
    return { program: process.execPath, args, environment: smallEnvironment };
  }
  return {
    program: bunBelow(installedRoot()),
    args: [...leanBun, join(folder, 'edgecore-daemon.lean.cjs')],
    environment: { ...smallEnvironment, ...withoutCompiler },
  };
}

const packageOf: Readonly<Record<string, string>> = { x64: 'bun-linux-x64', arm64: 'bun-linux-aarch64' };

const bunBelow = (root: string): string =>
  join(root, 'node_modules', '@oven', packageOf[process.arch] ?? `bun-linux-${process.arch}`, 'bin', 'bun');

/** Milliseconds that Bun may take to do nothing: a slow card has to deliver 100 MB of it. */
const trialLimit = 20_000;

/** Bun is run once, which shows whatever else this machine lacks: its C library, system calls, the right to run it. */
export async function findLeanFault(program: string = bunBelow(installedRoot())): Promise<string | undefined> {
  const mayRun = await access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!mayRun) return `Bun is not installed (${program}), npm install brings it`;
  // It would start without, and end at the first instruction that is missing.
  if (process.arch === 'x64' && !hasAvx2(await readFile('/proc/cpuinfo', 'utf8').catch(() => ''))) {
    return 'the processor has no AVX2, which Bun needs';
  }
  const env = { ...process.env, ...smallEnvironment, ...withoutCompiler };
  return new Promise((resolve) => {
    execFile(program, [...leanBun, '--eval', '0'], { env, timeout: trialLimit, killSignal: 'SIGKILL' }, (error) => {
      if (!error) return resolve(undefined);
      const { signal, killed } = error;
      const how = killed ? `took over ${trialLimit / 1_000} s` : signal ? `ended by ${signal}` : error.message.trim();
      resolve(`Bun does not run on this machine (${how})`);
    });
  });
}

/** By what `/proc/cpuinfo` says; of a machine that does not tell, only a run can. */
export function hasAvx2(cpuinfo: string): boolean {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1];
  return flags === undefined || flags.split(/\s+/).includes('avx2');
}

/** What a running edgecore runs on; undefined when it is gone, or still reads its configuration. */
export function runtimeOf(pid: number): EdgeRuntime | undefined {
  try {
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (basename(program) === 'bun') return 'lean';
    return args.some((arg) => basename(arg) === 'edgecore-daemon.cjs') ? 'node' : undefined;
  } catch {
    return undefined;
  }
}
