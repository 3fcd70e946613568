// Runs the tests in groups and counts them. Unit and module tests share one process (they start in milliseconds);
// files that start processes of their own are named `*.process.test.ts` and get a process each; end-to-end tests run
// one after the other.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Group {
  readonly name: string;
  readonly files: readonly string[];
  readonly options: readonly string[];
}

const unitPlaces = [
  'packages/*/src/**/*.test.ts',
  'packages/*/test/**/*.test.ts',
  'apps/*/src/**/*.test.ts',
  'apps/*/test/**/*.test.ts',
  'tools/**/*.test.ts',
  'tests/interop/**/*.test.ts',
  'tests/fuzz/**/*.test.ts',
];

export function testGroups(): Record<'unit' | 'process' | 'e2e', Group> {
  const found = globSync(unitPlaces).sort();
  const startsProcesses = (path: string): boolean => path.endsWith('.process.test.ts');
  return {
    unit: {
      name: 'unit and module tests',
      files: found.filter((path) => !startsProcesses(path)),
      options: ['--test-isolation=none', '--test-timeout=120000'],
    },
    process: {
      name: 'tests with real processes',
      files: found.filter(startsProcesses),
      options: ['--test-concurrency=1', '--test-timeout=600000'],
    },
    e2e: {
      name: 'end-to-end tests',
      files: globSync('tests/e2e/**/*.test.ts').sort(),
      options: ['--test-concurrency=1', '--test-timeout=1200000'],
    },
  };
}

/** Runs one group with Node's test runner and reads its closing lines. */
export async function runGroup({ name, files, options }: Group): Promise<Counts> {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  console.log(`\n== ${name} (${files.length} files)`);
  const child = spawn(
    process.execPath,
    ['--test', '--test-reporter=./tools/checks/quiet-reporter.ts', ...options, ...files],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let tail = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    process.stdout.write(text);
    tail = (tail + text).slice(-4_000);
  });
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(tail)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  return {
    passed: count('pass'),
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: count('skipped') + count('todo'),
  };
}
