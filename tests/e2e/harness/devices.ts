// Devices of end-to-end tests: a box that speaks lines of text over TCP, the mapper that `kedge mapper new` makes for it, as a
// process, and what the cloud keeps of the device's samples.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadKubeconfig } from '@kedge/engine/kube-client';
import { createFiles } from '@kedge/platform/node';
import { freePort } from '@kedge/testing/free-port';
import type { Parts } from './parts.ts';
import { kedgeProgram, must } from './run.ts';

export interface LineDevice {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  close(): Promise<void>;
}

export interface LineAnswers {
  /** Undefined: it never answers. */
  get(name: string, connection: number): string | undefined;
  set(name: string, value: string): void;
}

/** `GET name` and `SET name value`, a line each; connections are counted from 1. */
export async function startLineDevice({ get, set }: LineAnswers): Promise<LineDevice> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = (connections += 1);
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    const lines = createInterface({ input: socket }).on('error', () => undefined);
    lines.on('line', (line) => {
      const [verb, name = '', value = ''] = line.split(' ');
      if (verb === 'SET') set(name, value);
      const answer = verb === 'SET' ? 'ok' : get(name, connection);
      if (answer !== undefined) socket.write(`${answer}\n`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    close: () => (open.forEach((socket) => socket.destroy()), new Promise((resolve) => server.close(() => resolve()))),
  };
}

export interface MapperProcess {
  start(): void;
  /** Of its REST API. */
  readonly port: number;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  log(): string;
}

export interface MapperProcessOptions {
  readonly edgecoreSocket?: string;
  /** One that kedge brings, instead of one that is made. */
  readonly isBuiltIn?: boolean;
  /** More keys of the configuration's `common`. */
  readonly common?: Readonly<Record<string, string>>;
}

/** Made as a user makes one, below the site's directory. */
export async function createMapperProcess(
  { layout }: Parts,
  protocol: string,
  { edgecoreSocket = layout.edge.dmiSocket, isBuiltIn = false, common = {} }: MapperProcessOptions = {},
): Promise<MapperProcess> {
  const folder = join(layout.data, protocol);
  if (isBuiltIn) await mkdir(folder, { recursive: true });
  else await must(kedgeProgram, ['mapper', 'new', folder]);
  const port = await freePort();
  const logFile = join(layout.logs, `${protocol}-mapper.log`);
  const config = {
    grpc_server: { socket_path: join(folder, 'mapper.sock') },
    common: { edgecore_sock: edgecoreSocket, http_port: String(port), data_dir: folder, ...common },
  };
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(config));
  let child: ChildProcess | undefined;
  return {
    port,
    signal: (signal) => void child?.kill(signal),
    start() {
      const log = openSync(logFile, 'a');
      const which = isBuiltIn ? [protocol] : ['run', join(folder, 'mapper.ts')];
      const args = ['mapper', ...which, '--config-file', join(folder, 'config.yaml')];
      child = spawn(kedgeProgram, args, { stdio: ['ignore', log, log] });
      closeSync(log);
    },
    async end(signal) {
      const ending = child;
      child = undefined;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
      const ended = once(ending, 'exit');
      ending.kill(signal);
      const timer = setTimeout(() => ending.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
    },
    log: () => readFileSync(logFile, 'utf8').split('\n').slice(-60).join('\n'),
  };
}

export interface ReadSample {
  readonly stream: string;
  readonly sequence: number;
  readonly at: number;
  readonly value: string;
}

/** Everything that cloudcore keeps of a property, page by page, as the administrator reads it. */
export async function readSamples(parts: Parts, device: string, property: string): Promise<ReadSample[]> {
  const { layout, ports, kubeconfig } = parts;
  const { client } = await loadKubeconfig(createFiles(), kubeconfig);
  const ca = readFileSync(join(layout.edge.directory, 'ca', 'rootCA.crt'));
  const get = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const tls = { ca, cert: client?.certificate, key: client?.key.reveal(), servername: 'localhost' };
      const call = request({ host: '127.0.0.1', port: ports.admission, path, agent: false, timeout: 5_000, ...tls });
      call
        .on('error', reject)
        .on('timeout', () => call.destroy(new Error('timeout')))
        .on('response', (answer) => {
          let body = '';
          answer.setEncoding('utf8').on('data', (text: string) => (body += text));
          answer.on('end', () => (answer.statusCode === 200 ? resolve(body) : reject(new Error(body))));
        })
        .end();
    });
  const found: ReadSample[] = [];
  for (let after = ''; ;) {
    const path = `/devices/default/${device}/samples?property=${property}&limit=500${after}`;
    const page = JSON.parse(await get(path)) as { samples: ReadSample[]; next?: string };
    found.push(...page.samples);
    if (page.next === undefined) return found;
    after = `&after=${page.next}`;
  }
}
