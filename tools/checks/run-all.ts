// Everything `npm test` runs, in the order in which a mistake is cheapest to find. All steps run even when one
// fails, so that one run shows all there is to mend; the last line counts tests.
import { spawnSync } from 'node:child_process';
import { runGroup, testGroups } from './test-groups.ts';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const bin = (name: string): string => `node_modules/.bin/${name}`;
const steps: readonly Step[] = [
  { name: 'format', command: [bin('oxfmt'), '--check', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--deny-warnings', 'packages', 'apps', 'tools', 'tests'] },
  { name: 'types', command: [bin('tsc'), '-b'] },
  { name: 'types of tests', command: [bin('tsc'), '-p', 'tests'] },
  { name: 'dependency direction', command: [process.execPath, 'tools/checks/dependency-direction.ts'] },
  { name: 'documents', command: [process.execPath, 'tools/checks/documents.ts'] },
];

const failures: string[] = [];
for (const { name, command } of steps) {
  const began = performance.now();
  const [program, ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program!, args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failures.push(name);
  console.log(`${stdout}${stderr}${error?.message ?? ''}`.slice(0, 20_000));
}

let passed = 0;
let failed = 0;
let skipped = 0;
for (const group of Object.values(testGroups())) {
  const counts = await runGroup(group);
  passed += counts.passed;
  failed += counts.failed;
  skipped += counts.skipped;
  if (counts.failed > 0) failures.push(group.name);
}

console.log(failures.length > 0 ? `\nfailed: ${failures.join(', ')}` : '\nall checks passed');
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
