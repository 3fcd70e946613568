// Writes the tables of docs/config.md from the schemas of cloudcore.yaml and edgecore.yaml. Run it after a key changed:
// `node tools/codegen/config-document.ts`; a test of the model says when it is due.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Key, listKeys } from '@kedge/core/config';
import { cloudCoreSchema, edgeCoreSchema } from '@kedge/model/componentconfig';

const path = join(import.meta.dirname, '../../docs/config.md');

const shown = (value: unknown): string => {
  if (value === undefined) return '';
  const json = JSON.stringify(value);
  return json === '""' ? '' : `\`${typeof value === 'string' ? value : json}\``;
};

function table(keys: readonly Key[]): string {
  const rows = keys
    .filter(({ unused }) => !unused)
    .map(({ path: key, start, description = '' }) => `| \`${key}\` | ${shown(start)} | ${description} |`);
  const ignored = Map.groupBy(
    new Set(keys.filter(({ unused }) => unused).map(({ path: key }) => headOf(key))),
    parentOf,
  );
  return [
    '| key | default | meaning |',
    '|---|---|---|',
    ...rows,
    '',
    'Known, accepted and without effect so far:',
    '',
    ...[...ignored].map(
      ([parent, list]) => `- ${parent ? `below \`${parent}\`` : 'at the top'}: ${list.map(lastOf).join(', ')}`,
    ),
    '',
  ].join('\n');
}

const parentOf = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('.')));
const lastOf = (key: string): string => `\`${key.slice(key.lastIndexOf('.') + 1)}\``;

/** Groups that have no effect as a whole are named by their heads alone. */
function headOf(key: string): string {
  const [module] = /^modules\.\w+/.exec(key) ?? [];
  return module !== undefined && idle.has(module)
    ? module
    : key.replace(/\.(buffer|load|quic|unixsocket|metaServer|logging|memorySwap|crashLoopBackOff)\..*$/, '.$1');
}

const idle = new Set(
  ['deviceController', 'taskManager', 'dynamicController', 'cloudStream', 'router', 'iptablesManager', 'eventBus']
    .concat(['edgeStream', 'serviceBus', 'deviceTwin', 'dbTest'])
    .map((name) => `modules.${name}`),
);

/** The document with its tables brought up to date. */
export function renewTables(text: string): string {
  const tables = {
    'cloudcore.yaml': table(listKeys(cloudCoreSchema)),
    'edgecore.yaml': table(listKeys(edgeCoreSchema)),
  };
  return Object.entries(tables).reduce((before, [name, content]) => {
    const head = `<!-- keys of ${name} -->\n`;
    const start = before.indexOf(head) + head.length;
    return `${before.slice(0, start)}${content}\n${before.slice(before.indexOf('<!-- end -->', start))}`;
  }, text);
}

if (import.meta.main) writeFileSync(path, renewTables(readFileSync(path, 'utf8')));
