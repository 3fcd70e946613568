// `kedge device history`: what a device's properties were, asked of the edgecore of this machine.
import { existsSync } from 'node:fs';
import { explain } from '@kedge/core/errors';
import { instant, parseDuration, toMilliTime } from '@kedge/core/time';
import { createHttpClient } from '@kedge/platform/node';
import type { Values } from '../command-line.ts';
import { siteLayout } from '../site/layout.ts';
import { CommandLineError } from './command-line-error.ts';

type History = Readonly<Record<string, readonly { readonly timestamp: number; readonly value: string }[]>>;

const usualSocket = '/etc/kubeedge/device.sock';

export async function deviceHistory(values: Values, word: string | undefined): Promise<number> {
  const { output, property, last = '1h', limit } = values;
  if (word === undefined) throw new CommandLineError('kedge device history needs the name of a device: see --help');
  if (output !== undefined && output !== 'json') throw new CommandLineError(`-o ${String(output)}: only json is known`);
  if (!((parseDuration(String(last)) ?? 0) > 0)) {
    throw new CommandLineError(`--last ${String(last)}: give a duration such as 30m`);
  }
  if (limit !== undefined && !/^[1-9]\d{0,6}$/.test(String(limit))) {
    throw new CommandLineError(`--limit ${String(limit)}: give a number of samples`);
  }
  const [namespace, name] = word.includes('/') ? word.split('/', 2) : [String(values['namespace'] ?? 'default'), word];
  const query = new URLSearchParams({ last: String(last) });
  if (property !== undefined) query.set('property', String(property));
  if (limit !== undefined) query.set('limit', String(limit));
  const history = await ask(
    socketOf(values),
    `/v1/devices/${encodeURIComponent(namespace!)}/${encodeURIComponent(name!)}/history?${query}`,
  );
  process.stdout.write(output === 'json' ? `${JSON.stringify(history, undefined, 2)}\n` : table(history));
  return 0;
}

/** The site in this folder, when there is one. */
function socketOf({ socket, data }: Values): string {
  if (socket !== undefined) return String(socket);
  const ofSite = siteLayout(String(data ?? './.kedge')).edge.deviceSocket;
  return data !== undefined || existsSync(ofSite) ? ofSite : usualSocket;
}

async function ask(socketPath: string, path: string): Promise<History> {
  const client = createHttpClient({ socketPath });
  try {
    const response = await client.request({ method: 'GET', url: `http://edge${path}` }).catch((error: unknown) => {
      throw new Error(
        `no edgecore answers at ${socketPath} (${explain(error)}): it listens there once it has a device, for root alone; --socket names another place`,
        { cause: error },
      );
    });
    const body = JSON.parse(await response.text()) as { message?: string; history?: History };
    if (response.status !== 200 || !body.history) throw new Error(body.message ?? `HTTP ${response.status}`);
    return body.history;
  } finally {
    await client.close();
  }
}

function table(history: History): string {
  const lines = Object.entries(history)
    .flatMap(([property, samples]) => samples.map(({ timestamp, value }) => ({ property, timestamp, value })))
    .toSorted((a, b) => a.timestamp - b.timestamp);
  if (lines.length === 0) return 'nothing was reported in this time\n';
  const width = Math.max(8, ...lines.map(({ property }) => property.length));
  return [
    `${'TIME'.padEnd(24)}  ${'PROPERTY'.padEnd(width)}  VALUE`,
    ...lines.map(
      ({ property, timestamp, value }) =>
        // A value may be any text of a stranger.
        `${toMilliTime(instant(timestamp))}  ${property.padEnd(width)}  ${/\p{Cc}/u.test(value) ? JSON.stringify(value) : value}`,
    ),
    '',
  ].join('\n');
}
