// Runs the tests in groups and counts them. Unit and module tests share one process (they start in milliseconds);
// files that start processes of their own are named `*.process.test.ts` and get a process each; those and end-to-end tests
// mostly wait, and run two at a time. Every group says on which runtime it wants the edge: it is tested on both.
import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { type EdgeRuntime, launchOn } from '../../apps/kedge/src/edge-runtime.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Group {
  readonly name: string;
  readonly files: readonly string[];
  readonly options: readonly string[];
  /** How many files share a process: starting one costs a quarter of a second, and a crowded one gets slow. */
  readonly batch: number;
  readonly batchesAtOnce: number;
  /** For the tests, beside what this process has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The tests themselves run on Bun, as lean has it, and not what they start. */
  readonly onBun?: boolean;
  /** Why none of it can be run here. */
  readonly skip?: string | undefined;
}

const edgeOn = (runtime: EdgeRuntime) => ({ KEDGE_EDGE_RUNTIME: runtime });

/** Tests of a whole edge that say nothing about its runtime; they have to pass on each. */
const edgeSuite = [
  'autonomy',
  'devices',
  'faults-disk',
  'faults-edge',
  'faults-host',
  'faults-hub',
  'kill-nine',
  'shutdown',
];

/** The same of the runtime of containers. */
const podSuite = edgeSuite.filter((name) => name !== 'devices');

const conformance = 'tests/conformance/node-conformance.test.ts';

/** What edgecore is made of. Bun's servers of HTTP/2 are used by nobody: the cloud runs on Node.js, and so do peers in tests. */
const edgeUnits = [
  'packages/{core,edge,wire}/{src,test}/**/*.test.ts',
  'packages/engine/{src,test}/{channel,identity-edge}/**/*.test.ts',
  'packages/platform/{src,test}/**/*.test.ts',
  'tests/interop/{dmi,dmi-versions,dmi-go-mapper.process,edge-wishes,edge-recorded}.test.ts',
];
const notOfTheEdge = ['packages/platform/test/http2.test.ts', 'packages/platform/test/grpc.test.ts'];

const unitPlaces = [
  'tests/conformance/document.test.ts',
  'packages/*/src/**/*.test.ts',
  'packages/*/test/**/*.test.ts',
  'apps/*/src/**/*.test.ts',
  'apps/*/test/**/*.test.ts',
  'tools/**/*.test.ts',
  'tests/interop/**/*.test.ts',
  'tests/fuzz/**/*.test.ts',
];

type GroupName = 'unit' | 'process' | 'e2e' | 'conformance' | 'lean-unit' | 'lean' | 'crio';

export function testGroups(): Record<GroupName, Group> {
  const found = globSync(unitPlaces).sort();
  const startsProcesses = (path: string): boolean => path.endsWith('.process.test.ts');
  const isOfTheEdge = (path: string): boolean =>
    !notOfTheEdge.includes(path) && (!startsProcesses(path) || path.startsWith('tests/interop/'));
  return {
    unit: {
      name: 'unit and module tests',
      files: found.filter((path) => !startsProcesses(path)),
      options: ['--test-isolation=none', '--test-timeout=120000'],
      batch: 10,
      batchesAtOnce: 2,
    },
    process: {
      name: 'tests with real processes',
      files: found.filter(startsProcesses),
      options: ['--test-timeout=600000'],
      batch: 1,
      batchesAtOnce: 2,
      environment: edgeOn('node'),
    },
    e2e: {
      name: 'end-to-end tests',
      files: globSync('tests/e2e/**/*.test.ts').sort(),
      options: ['--test-timeout=1200000'],
      batch: 1,
      batchesAtOnce: 2,
      environment: edgeOn('node'),
    },
    conformance: {
      name: 'node conformance',
      files: [conformance],
      options: ['--test-timeout=300000'],
      batch: 1,
      batchesAtOnce: 1,
      environment: edgeOn('node'),
    },
    'lean-unit': {
      name: 'unit and module tests of the edge on Bun',
      files: globSync(edgeUnits).filter(isOfTheEdge).sort(),
      options: ['--timeout=120000'],
      batch: 10,
      batchesAtOnce: 2,
      onBun: true,
    },
    lean: {
      name: 'the edge on its lean runtime',
      // The longest first: the others fit beside it.
      files: [conformance, ...edgeSuite.map((name) => `tests/e2e/${name}.test.ts`)],
      options: ['--test-timeout=1200000'],
      batch: 1,
      batchesAtOnce: 2,
      environment: edgeOn('lean'),
    },
    crio: {
      name: 'the edge on CRI-O',
      files: [...podSuite.map((name) => `tests/e2e/${name}.test.ts`), conformance],
      options: ['--test-timeout=1200000'],
      batch: 1,
      batchesAtOnce: 1,
      environment: { ...edgeOn('node'), KEDGE_TEST_RUNTIME: 'cri-o' },
      skip: process.env['CRIO'] ? undefined : '$CRIO names no crio',
    },
  };
}

/** Runs one group with Node's test runner, some files to a process, and adds up what it counted. */
export async function runGroup(group: Group): Promise<Counts> {
  const { name, files, batch, batchesAtOnce, skip } = group;
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  console.log(`\n== ${name} (${files.length} files)`);
  if (skip) {
    console.log(`skipped: ${skip}`);
    return { passed: 0, failed: 0, skipped: files.length };
  }
  const began = performance.now();
  const batches: string[][] = [];
  for (let at = 0; at < files.length; at += batch) batches.push(files.slice(at, at + batch));
  const counts: Counts[] = [];
  const lane = async (): Promise<void> => {
    for (let next = batches.shift(); next; next = batches.shift())
      counts.push(await (group.onBun ? runOnBun(next, group) : runFiles(next, group)));
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, lane));
  const sum = (of: keyof Counts): number => counts.reduce((total, one) => total + one[of], 0);
  const total = { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
  const seconds = Math.round((performance.now() - began) / 1_000);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped in ${seconds} s`);
  return total;
}

async function runFiles(files: readonly string[], { options, environment }: Group): Promise<Counts> {
  const args = ['--test', '--test-reporter=./tools/checks/quiet-reporter.ts', ...options, ...files];
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const { code, output } = await outcome(child);
  const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  process.stdout.write(output.replace(/^# \w+ [\d.]+\n/gm, ''));
  const lost = code !== 0 && failed === 0;
  if (lost) console.log(`FAIL the test process ended with code ${code}: ${files.join(' ')}`);
  return { passed: count('pass'), failed: lost ? 1 : failed, skipped: count('skipped') + count('todo') };
}

/** Bun's runner, which takes tests for Node's. It has its own report, on its standard error, of which the failures are shown. */
async function runOnBun(files: readonly string[], { options }: Group): Promise<Counts> {
  const { program, args, environment } = launchOn('lean', '.');
  const flags = args.filter((arg) => arg.startsWith('--'));
  const paths = files.map((file) => `./${file}`);
  const child = spawn(program, [...flags, 'test', ...options, ...paths], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { code, output } = await outcome(child);
  const count = (what: string): number => Number(new RegExp(`^ *(\\d+) ${what}$`, 'm').exec(output)?.[1] ?? 0);
  const failed = count('fail');
  if (code !== 0) console.log(`${output.replace(/^\((?:pass|skip)\) .*\n/gm, '')}\nFAIL on Bun: ${files.join(' ')}`);
  return { passed: count('pass'), failed: code !== 0 ? Math.max(1, failed) : failed, skipped: count('skip') };
}

async function outcome(child: ChildProcess): Promise<{ code: number; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  return { code, output };
}
