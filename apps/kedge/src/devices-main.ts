// The commands that have to do with devices: a bundle of its own, because mappers run on small machines and in images.
import { type Command, runCommandLine } from './command-line.ts';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const commands: Readonly<Record<string, Command>> = {
  mapper: {
    options: { 'config-file': text, help: flag },
    positionals: true,
    run: async (values, words) => (await import('./commands/mapper.ts')).mapper(values, words),
  },
  device: {
    options: {
      address: text,
      thermostat: text,
      tank: text,
      data: text,
      property: text,
      last: text,
      limit: text,
      socket: text,
      node: text,
      here: flag,
      ca: text,
      'client-cert': text,
      'client-key': text,
      'server-name': text,
      port: text,
      timeout: text,
      namespace: { ...text, short: 'n' },
      image: text,
      kubeconfig: text,
      output: { ...text, short: 'o' },
      help: flag,
    },
    positionals: true,
    run: async (values, words) => (await import('./commands/device.ts')).device(values, words),
  },
};

runCommandLine(commands);
