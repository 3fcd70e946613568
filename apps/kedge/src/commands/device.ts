// `kedge device`: devices to try things with, which ones there are, and what those of this machine's edge have said.
import type { Values } from '../command-line.ts';
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
    case 'history':
      if (words.length > 1) throw new CommandLineError('see "kedge device --help"');
      return (await import('./device-history.ts')).deviceHistory(values, words[0]);
    default:
      throw new CommandLineError('see "kedge device --help"');
  }
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
