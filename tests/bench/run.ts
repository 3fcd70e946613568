// `npm run bench [-- api|start|edge|link|devices|churn|limit ...]`: measures and prints tables in Markdown; never part of the
// tests. `churn` takes an hour ($CHURN_MINUTES), `limit` half of one; they run only when they are named. Every figure
// stands beside a baseline taken in the same run where there is one.
import { cpus, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';

const suites: Readonly<Record<string, () => Promise<void>>> = {
  api: async () => (await import('./api.ts')).benchApi(),
  start: async () => (await import('./start.ts')).benchStart(),
  edge: async () => (await import('./edge.ts')).benchEdge(),
  link: async () => (await import('./link.ts')).benchLink(),
  'devices-cloud': async () => (await import('./devices-cloud.ts')).benchDevicesCloud(),
  'devices-edge': async () => (await import('./devices-edge.ts')).benchDevicesEdge(),
  'devices-modbus': async () => (await import('./modbus.ts')).benchModbus(),
};
const groups: Readonly<Record<string, readonly string[]>> = {
  devices: ['devices-cloud', 'devices-edge', 'devices-modbus'],
};

/** Only when they are named. */
const long = {
  churn: async (): Promise<void> => (await import('./churn.ts')).benchChurn(),
  limit: async (): Promise<void> => (await import('./limit.ts')).benchLimit(),
};

const all = { ...suites, ...long };
const asked = process.argv.slice(2).flatMap((name) => groups[name] ?? [name]);
for (const name of asked)
  if (!(name in all)) throw new Error(`no suite "${name}"; there are: ${Object.keys(all).join(', ')}`);

const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
console.log(
  `Machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
    `Linux ${kernel}, Node.js ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}\n`,
);
for (const name of asked.length > 0 ? asked : Object.keys(suites)) await all[name as keyof typeof all]!();
