// Checks that imports point down the layers, that the pure layers do not reach for the clock or for chance, and that
// the checker really saw the sources: with an unknown compiler it would report success on zero modules.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';

const pure = ['core', 'model', 'wire', 'engine', 'cloud', 'edge', 'control-plane', 'devices'];

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

const problems: string[] = [];
const packages = pure.flatMap((name) => sources(`packages/${name}/src`));
for (const path of packages) {
  if (/\.test\.ts$|\/testing\//.test(path)) continue;
  readFileSync(path, 'utf8')
    .split('\n')
    .forEach((line, index) => {
      if (/\b(Date\.now|Math\.random)\s*\(|new Date\(\)/.test(line) && !line.trimStart().startsWith('//')) {
        problems.push(`${path}:${index + 1}: take time and chance from a port, not from ${line.trim()}`);
      }
    });
}

const { stdout, stderr, status } = spawnSync(
  process.execPath,
  [
    'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
    'packages',
    'apps',
  ],
  { encoding: 'utf8', maxBuffer: 256 << 20 },
);
let seen = 0;
try {
  const { summary } = JSON.parse(stdout) as {
    summary: { totalCruised: number; violations: { from: string; to: string; rule: { name: string } }[] };
  };
  seen = summary.totalCruised;
  for (const { from, to, rule } of summary.violations) problems.push(`${rule.name}: ${from} -> ${to}`);
} catch {
  problems.push(`dependency-cruiser failed (exit ${status}): ${stderr || stdout}`.slice(0, 2_000));
}
if (seen < packages.length)
  problems.push(`the checker saw ${seen} modules, there are ${packages.length} in the pure layers`);

for (const problem of problems) console.error(problem);
console.log(`${seen} modules, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
