// A mapper as a process: one driver, its configuration file, and everything of the outside.
import { defaultsOf, object, optional, readConfig, text } from '@kedge/core/config';
import { createMetrics } from '@kedge/core/metrics';
import { seconds } from '@kedge/core/time';
import { createMapper, type MapperDriver } from '@kedge/devices/mapper-sdk';
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
        push: { http, env: process.env, load: loadDriver },
      },
      {
        socketPath,
        edgecoreSocket: edgecore_sock,
        ...(http_port === '' ? {} : { http: { address, port: Number(http_port) } }),
      },
    );
    return {
      modules: [mapper, createHeapKeeper({ clock: systemClock, every: seconds(60) })],
      close: () => http.close(),
    };
  });
}
