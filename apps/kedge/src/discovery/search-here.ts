// Looks for devices from this machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@kedge/core/log';
import type { FoundDevice } from '@kedge/devices/mapper-sdk';
import { createRandom, systemClock } from '@kedge/platform/node';
import { builtInDrivers } from '../built-in-drivers.ts';
import { CommandLineError } from '../commands/command-line-error.ts';

export interface SearchRequest {
  /** Absent: every protocol that can be searched, with what it looks for by itself. */
  readonly protocol: string | undefined;
  readonly options: Readonly<Record<string, string>>;
}

export interface Found {
  readonly protocol: string;
  readonly found: FoundDevice;
}

/** Without a name, what is on this machine at the usual ports. */
const usual: Readonly<Record<string, SearchRequest['options']>> = {
  mqtt: { brokerURL: 'tcp://127.0.0.1:1883' },
  opcua: { url: 'opc.tcp://127.0.0.1:4840' },
};

export async function* searchHere(
  { protocol, options }: SearchRequest,
  log: Log,
  signal: AbortSignal,
): AsyncIterable<Found> {
  // Certificates of clients and servers, for as long as it takes.
  const directory = await mkdtemp(join(tmpdir(), 'kedge-discover-'));
  try {
    for (const name of protocol === undefined ? Object.keys(builtInDrivers) : [protocol]) {
      const make = Object.hasOwn(builtInDrivers, name) ? await builtInDrivers[name]!() : undefined;
      const driver = make?.(directory);
      if (driver?.discover === undefined) {
        if (protocol === undefined) continue;
        throw new CommandLineError(`"${name}" cannot be searched for; see "kedge device --help"`);
      }
      try {
        const context = { clock: systemClock, log, random: createRandom(), signal };
        for await (const found of driver.discover(protocol === undefined ? (usual[name] ?? {}) : options, context))
          yield { protocol: name, found };
      } catch (error) {
        signal.throwIfAborted();
        if (protocol !== undefined) throw error;
        log.warn('not searched', { name, err: error });
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
