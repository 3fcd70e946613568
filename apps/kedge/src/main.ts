// The command line, but for edgecore and for what has to do with devices, which `bin/kedge` starts from bundles of their own.
import { type Command, runCommandLine } from './command-line.ts';

const data = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const daemon = { config: data, defaultconfig: flag, minconfig: flag, version: flag, help: flag } as const;

const commands: Readonly<Record<string, Command>> = {
  up: {
    options: {
      data,
      detach: flag,
      node: data,
      'port-base': data,
      'no-devices': flag,
      'encryption-provider-config': data,
      help: flag,
    },
    run: async (values) => (await import('./commands/up.ts')).up(values),
  },
  down: { options: { data, help: flag }, run: async (values) => (await import('./commands/down.ts')).down(values) },
  status: {
    options: { data, output: { ...data, short: 'o' }, help: flag },
    run: async (values) => (await import('./commands/status.ts')).status(values),
  },
  cloudcore: {
    options: daemon,
    run: async (values) => (await import('./commands/cloudcore.ts')).runCloudcore(values),
  },
  apiserver: {
    options: {
      config: data,
      'encryption-provider-config': data,
      controllers: data,
      'disable-controllers': flag,
      'disable-scheduler': flag,
      'kubelet-certificate-authority': data,
      'audit-log-path': data,
      'audit-policy-file': data,
      'audit-log-maxsize': data,
      'audit-log-maxbackup': data,
      'audit-log-maxage': data,
      help: flag,
    },
    run: async (values) => (await import('./commands/apiserver.ts')).runApiServer(values),
  },
  backup: {
    options: { data, out: data, help: flag },
    run: async (values) => (await import('./commands/backup.ts')).backup(values),
  },
  restore: {
    options: { data, from: data, help: flag },
    run: async (values) => (await import('./commands/restore.ts')).restore(values),
  },
  image: {
    options: {
      data,
      output: { ...data, short: 'o' },
      image: data,
      'dmi-socket': data,
      'rest-port': data,
      namespace: { ...data, short: 'n' },
      help: flag,
    },
    positionals: true,
    run: async (values, words) => (await import('./commands/image.ts')).image(values, words),
  },
  doctor: { options: { help: flag }, run: async () => (await import('./commands/doctor.ts')).doctor() },
  version: { options: { help: flag }, run: async () => (await import('./commands/version.ts')).version() },
};

runCommandLine(commands);
