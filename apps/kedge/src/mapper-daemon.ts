// A mapper as a process: one driver, its configuration file, and everything of the outside.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { choice, defaultsOf, object, optional, readConfig, text } from '@kedge/core/config';
import type { Log } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { seconds } from '@kedge/core/time';
import {
  createMapper,
  type KeepSamples,
  type MapperDriver,
  sampleMigrations,
  SampleStore,
} from '@kedge/devices/mapper-sdk';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createHeapKeeper, createHttpClient, createHttpServers, createRandom, systemClock } from '@kedge/platform/node';
import { CommandLineError } from './commands/command-line-error.ts';
import { readConfigFile } from './commands/config-file.ts';
import { runDaemon } from './daemon.ts';
import { loadDriver } from './load-driver.ts';

/** The keys of KubeEdge's mapper framework; what the driver itself knows may be left out. */
const schema = object({
  grpc_server: object({ socket_path: text('', { format: 'path', description: 'Where edgecore calls this mapper.' }) }),
  common: object({
    name: optional(text('')),
    version: optional(text('')),
    api_version: optional(text('')),
    protocol: optional(text('')),
    address: text('127.0.0.1', { description: 'Where the REST API listens.' }),
    edgecore_sock: text('/etc/kubeedge/dmi.sock', { format: 'path' }),
    http_port: text('7777', { description: 'Of the REST API; "" turns it off.' }),
    data_dir: text('/var/lib/kubeedge/mappers', {
      format: 'path',
      description: 'What has to last: samples that wait for edgecore, certificates.',
    }),
    keep_samples: choice('late', ['late', 'exact', 'always', 'never'], {
      description:
        'Which samples are on disk until edgecore has them: those that wait for half a second, for 50 ms (synced), or all.',
    }),
    http_cert_file: optional(
      text('', { format: 'path', description: 'Makes the REST API HTTPS, with http_key_file.' }),
    ),
    http_key_file: optional(text('', { format: 'path' })),
    http_ca_cert_file: optional(
      text('', { format: 'path', description: 'Only clients with a certificate of this CA are answered.' }),
    ),
  }),
});

/** Until it is asked to end; its exit code. */
export async function runMapper<C, V>(
  make: MapperDriver<C, V> | ((dataDirectory: string) => MapperDriver<C, V>),
  configFile: string | undefined,
): Promise<number> {
  const sources = configFile === undefined ? {} : await readConfigFile(configFile, 'kedge mapper');
  const { document: config, warnings } = readConfig(schema, defaultsOf(schema), sources, () => []);
  const driver = typeof make === 'function' ? make(config.common.data_dir) : make;
  const { protocol = driver.protocol, name = driver.name, address, edgecore_sock, http_port } = config.common;
  if (!/^\d{0,5}$/.test(http_port)) throw new CommandLineError(`common.http_port is "${http_port}", needs a port`);
  const tls = await readTls(config.common);
  const socketPath = config.grpc_server.socket_path || `/etc/kubeedge/${protocol}-mapper.sock`;
  return runDaemon(name, async (log) => {
    for (const say of warnings) log.warn('configuration', { reason: say });
    const http = createHttpClient({});
    const mapper = createMapper(
      { ...driver, name, protocol },
      {
        clock: systemClock,
        log,
        random: createRandom(),
        metrics: createMetrics(),
        servers: grpcServers,
        openChannel: openGrpcChannel,
        httpServers: createHttpServers({ log }),
        keepSamples: keepSamples(config.common, protocol, log),
        push: { http, env: process.env, load: loadDriver },
      },
      {
        socketPath,
        edgecoreSocket: edgecore_sock,
        ...(http_port === '' ? {} : { http: { address, port: Number(http_port), ...(tls && { tls }) } }),
      },
    );
    return {
      modules: [mapper, createHeapKeeper({ clock: systemClock, every: seconds(60) })],
      close: () => http.close(),
    };
  });
}

/** SQLite is loaded when there is something to keep. */
function keepSamples(
  {
    keep_samples: when,
    data_dir,
  }: { readonly keep_samples: 'late' | 'exact' | 'always' | 'never'; readonly data_dir: string },
  protocol: string,
  log: Log,
): KeepSamples | undefined {
  if (when === 'never') return undefined;
  const path = join(data_dir, `${protocol}-samples.db`);
  return {
    when,
    isThere: existsSync(path),
    async open() {
      const { openOrSetAside } = await import('@kedge/platform/sqlite');
      const durability = when === 'exact' ? 'full' : 'normal';
      const options = { path, migrations: sampleMigrations, durability, cacheKiB: 256 } as const;
      const { database, setAside } = openOrSetAside(options, systemClock.now());
      if (setAside !== undefined) log.error('samples on disk were damaged and put aside', { key: setAside });
      return new SampleStore(database);
    },
  };
}

/** Undefined: plain HTTP. Files that cannot be used are said before anything starts. */
async function readTls(files: {
  readonly http_cert_file?: string | undefined;
  readonly http_key_file?: string | undefined;
  readonly http_ca_cert_file?: string | undefined;
}) {
  const { http_cert_file: certFile, http_key_file: keyFile, http_ca_cert_file: caFile } = files;
  if (!certFile && !keyFile && !caFile) return undefined;
  if (!certFile || !keyFile) {
    throw new CommandLineError('common.http_cert_file and common.http_key_file are needed together for HTTPS');
  }
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: unknown) => {
      throw new CommandLineError(`${path} cannot be read`, { cause });
    });
  const load = async () => ({ certificate: await read(certFile), key: await read(keyFile) });
  await load();
  return { load, ...(caFile ? { clientCa: await read(caFile) } : {}) };
}
