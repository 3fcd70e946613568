// `kedge device`: devices to try things with, which ones there are, and what those of this machine's edge have said.
import { normalize } from 'node:path';
import type { Values } from '../command-line.ts';
import { milliseconds, minutes, parseDuration, seconds } from '@kedge/core/time';
import type { Question } from '../device-call/ask-mapper.ts';
import type { DeviceCallOptions, HttpsFiles } from '../device-call/device-call.ts';
import type { DiscoverOptions } from '../discovery/discover.ts';
import { CommandLineError } from './command-line-error.ts';

export async function device(values: Values, [what, ...words]: readonly string[]): Promise<number> {
  switch (what) {
    case 'discover': {
      const options = readDiscoverOptions(values, words);
      return (await import('../discovery/discover.ts')).discover(options);
    }
    case 'simulate': {
      if (words.length > 0) throw new CommandLineError('see "kedge device --help"');
      const { address = '127.0.0.1' } = values;
      const options = {
        address: String(address),
        thermostat: portOf(values, 'thermostat'),
        tank: portOf(values, 'tank'),
        directory: String(values['data'] ?? './simulated-devices'),
      };
      return (await import('../simulated-devices.ts')).simulateDevices(options);
    }
    case 'call':
    case 'read':
      return (await import('../device-call/device-call.ts')).deviceCall(readCallOptions(what, values, words));
    case 'history':
      if (words.length > 1) throw new CommandLineError('see "kedge device --help"');
      return (await import('./device-history.ts')).deviceHistory(values, words[0]);
    default:
      throw new CommandLineError('see "kedge device --help"');
  }
}

export function readCallOptions(what: 'call' | 'read', values: Values, words: readonly string[]): DeviceCallOptions {
  const [word, ...asked] = words;
  if (word === undefined) throw new CommandLineError(`kedge device ${what} needs the name of a device: see --help`);
  const [namespace, device] = word.includes('/')
    ? (word.split('/', 2) as [string, string])
    : [String(values['namespace'] ?? 'default'), word];
  const { output = 'text', timeout = '30s', address = '127.0.0.1', here = false, data = './.kedge' } = values;
  if (output !== 'text' && output !== 'json') throw new CommandLineError(`-o ${output}: text and json are known`);
  const patience = parseDuration(String(timeout)) ?? milliseconds(0);
  if (!(patience >= seconds(1) && patience <= longestCall)) {
    throw new CommandLineError(`--timeout ${timeout}: give a duration from 1s to 10m`);
  }
  const question = questionOf(what, asked);
  if (here && !question) throw new CommandLineError('kedge device call --here needs METHOD PROPERTY VALUE: see --help');
  const { image, kubeconfig } = values;
  return {
    namespace,
    device,
    question,
    isHere: here === true,
    address: String(address),
    ports: values['port'] === undefined ? undefined : portsOf(String(values['port'])),
    timeout: patience,
    https: httpsOf(values, here === true),
    image: image === undefined ? undefined : String(image),
    kubeconfig: kubeconfig === undefined ? undefined : String(kubeconfig),
    data: String(data),
    output,
  };
}

const longestCall = minutes(10);

/** Files are those of the machine that asks: of the node, unless with --here. */
function httpsOf(values: Values, isHere: boolean): HttpsFiles | undefined {
  const given = (name: string): string | undefined => (values[name] === undefined ? undefined : String(values[name]));
  const [ca, certificate, key, serverName] = ['ca', 'client-cert', 'client-key', 'server-name'].map(given);
  if (ca === undefined) {
    if ([certificate, key, serverName].every((one) => one === undefined)) return undefined;
    throw new CommandLineError('--client-cert, --client-key and --server-name need --ca, which makes it HTTPS');
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw new CommandLineError('--client-cert and --client-key are needed together');
  }
  const wrong = [ca, certificate, key].find(
    (path) =>
      path !== undefined && !isHere && (!path.startsWith('/') || normalize(path) !== path || path.endsWith('/')),
  );
  if (wrong !== undefined) {
    throw new CommandLineError(
      `"${wrong}": name the file as it is on the node, from / on; with --here, on this machine`,
    );
  }
  return { ca, client: certificate === undefined || key === undefined ? undefined : { certificate, key }, serverName };
}

function questionOf(what: 'call' | 'read', words: readonly string[]): Question | undefined {
  const [first, property, value] = words;
  if (what === 'read') {
    if (first !== undefined && words.length === 1) return { do: 'read', property: first };
    throw new CommandLineError('kedge device read needs DEVICE and PROPERTY: see --help');
  }
  if (first === undefined) return undefined;
  if (property !== undefined && value !== undefined && words.length === 3) {
    return { do: 'call', method: first, property, value };
  }
  throw new CommandLineError(
    'kedge device call needs DEVICE METHOD PROPERTY VALUE; with DEVICE alone it lists the methods',
  );
}

function portsOf(text: string): readonly number[] {
  const ports = text.split(',').map(Number);
  if (ports.length <= 16 && ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535)) return ports;
  throw new CommandLineError(`--port ${text}: give ports from 1 to 65535, such as 7777 or 10277,10278`);
}

export function readDiscoverOptions(values: Values, words: readonly string[]): DiscoverOptions {
  const protocols = words.filter((word) => !word.includes('='));
  const pairs = words.filter((word) => word.includes('=')).map((word) => word.split(/=(.*)/s).slice(0, 2));
  if (protocols.length > 1) throw new CommandLineError('search for one protocol at a time, or for all without a name');
  const [protocol] = protocols;
  if (protocol === undefined && pairs.length > 0) {
    throw new CommandLineError(`${pairs[0]!.join('=')}: name the protocol that it is for, such as modbus`);
  }
  const { output = 'yaml', node, namespace = 'default', image, kubeconfig, data = './.kedge' } = values;
  if (output !== 'yaml' && output !== 'json') throw new CommandLineError(`-o ${output}: yaml and json are known`);
  const optional = (value: string | boolean | undefined): string | undefined =>
    value === undefined ? undefined : String(value);
  return {
    request: { protocol, options: Object.fromEntries(pairs) as Record<string, string> },
    node: optional(node),
    namespace: String(namespace),
    image: optional(image),
    kubeconfig: optional(kubeconfig),
    data: String(data),
    output,
  };
}

function portOf(values: Values, name: string): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new CommandLineError(`--${name} ${text}: give a port from 1 to 65535`);
  }
  return port;
}
