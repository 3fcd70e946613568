// `kedge up`: runs a site in the foreground, or starts it in the background and waits until it is ready.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { explain } from '@kedge/core/errors';
import { defaultPortBase, type SiteLayout, siteLayout, sitePorts } from '../site/layout.ts';
import { liveProcesses, removePidFile, writePidFile } from '../site/pid-files.ts';
import { defaultNodeName } from '../site/node-name.ts';
import { runSite } from '../site/run-site.ts';
import { installedRoot } from '../site/installed-root.ts';
import { readScreen } from '../site/screen.ts';
import { readSiteState, type SiteState, writeSiteState } from '../site/site-state.ts';
import { CommandLineError } from './command-line-error.ts';
import { examineHost } from './doctor.ts';

export interface UpOptions {
  readonly data: string;
  readonly detach: boolean;
  readonly node: string | undefined;
  readonly portBase: number | undefined;
  /** Absolute path of an EncryptionConfiguration. */
  readonly encryption: string | undefined;
  /** Whether simulated devices and their mappers run. */
  readonly devices: boolean;
}

const dns1123 = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function readUpOptions(values: Readonly<Record<string, string | boolean | undefined>>): UpOptions {
  const { node, 'port-base': base, data = './.kedge', detach, 'encryption-provider-config': keys } = values;
  if (node !== undefined && !dns1123.test(String(node))) {
    throw new CommandLineError(`--node ${node}: a node name is lower case letters, digits, "-" and "."`);
  }
  const portBase = base === undefined ? undefined : Number(base);
  if (portBase !== undefined && !(Number.isInteger(portBase) && portBase >= 1_024 && portBase <= 64_000)) {
    throw new CommandLineError(`--port-base ${base}: give a number from 1024 to 64000`);
  }
  const encryption = keys === undefined ? undefined : resolve(String(keys));
  if (encryption !== undefined && !existsSync(encryption)) {
    throw new CommandLineError(`--encryption-provider-config ${String(keys)}: there is no such file`);
  }
  const name = node === undefined ? undefined : String(node);
  const devices = values['no-devices'] !== true;
  return { data: String(data), detach: detach === true, node: name, portBase, encryption, devices };
}

export async function up(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const options = readUpOptions(values);
  const layout = siteLayout(options.data);
  const missing = examineHost().filter(({ ok, needed }) => needed && !ok);
  if (missing.length > 0) {
    for (const { what, say } of missing) process.stderr.write(`kedge up: ${what}: ${say}\n`);
    return 1;
  }
  if ((await liveProcesses(layout.run)).some(({ name }) => name === 'kedge')) {
    process.stderr.write(
      `kedge up: the site in ${layout.data} runs already; see "kedge status" or stop it with "kedge down"\n`,
    );
    return 1;
  }
  return options.detach ? runDetached(options, layout) : runInForeground(options, layout);
}

async function runInForeground(options: UpOptions, layout: SiteLayout): Promise<number> {
  const before = await readSiteState(layout);
  const node = options.node ?? before?.node ?? defaultNodeName();
  const portBase = options.portBase ?? before?.portBase ?? defaultPortBase;
  if (before && before.node !== node) {
    process.stderr.write(`kedge up: this site's node is called ${before.node}; use another --data for another node\n`);
    return 1;
  }
  mkdirSync(layout.run, { recursive: true });
  await writePidFile(layout.run, 'kedge', process.pid);

  const stop = new AbortController();
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => (stop.abort(new Error('stopped')), resolve()));
  });
  const say = (text: string): void => void process.stdout.write(`  ${text}\n`);
  let applied = { sampleApplied: before?.sampleApplied ?? false, devicesApplied: before?.devicesApplied ?? false };
  const tell = (phase: SiteState['phase'], text: string): Promise<void> =>
    writeSiteState(layout, { phase, say: text, node, portBase, ...applied });

  try {
    process.stdout.write(`kedge: starting the site in ${layout.data}\n`);
    await tell('starting', 'starting');
    const program = join(installedRoot(), 'bin', 'kedge');
    const ports = sitePorts(portBase);
    const { encryption } = options;
    const applySample = !applied.sampleApplied;
    const devices = !options.devices ? 'none' : applied.devicesApplied ? 'run' : 'apply';
    const wanted = { layout, ports, node, program, applySample, devices, encryption, report: say } as const;
    const site = await runSite(wanted, stop.signal);
    applied = { sampleApplied: true, devicesApplied: applied.devicesApplied || site.devicesApplied };
    await tell('ready', 'ready');
    process.stdout.write(await readScreen(site.api, site.server, layout, node, options.devices));
    await asked;
    process.stdout.write('\nkedge: stopping\n');
    await tell('stopping', 'stopping');
    const left = await site.stop();
    await tell('stopped', left.length === 0 ? 'stopped' : `left behind: ${left.join(', ')}`);
    for (const what of left) process.stderr.write(`kedge: could not take away ${what}\n`);
    return left.length === 0 ? 0 : 1;
  } catch (error) {
    const stopped = stop.signal.aborted;
    await tell(stopped ? 'stopped' : 'failed', stopped ? 'stopped while starting' : explain(error));
    if (!stopped) process.stderr.write(`kedge up: ${explain(error)}\n  logs are in ${layout.logs}\n`);
    return stopped ? 0 : 1;
  } finally {
    await removePidFile(layout.run, 'kedge');
  }
}

async function runDetached(options: UpOptions, layout: SiteLayout): Promise<number> {
  mkdirSync(layout.logs, { recursive: true });
  const log = openSync(join(layout.logs, 'kedge.log'), 'a');
  const args = ['up', '--data', layout.data];
  if (options.node !== undefined) args.push('--node', options.node);
  if (options.portBase !== undefined) args.push('--port-base', String(options.portBase));
  if (options.encryption !== undefined) args.push('--encryption-provider-config', options.encryption);
  if (!options.devices) args.push('--no-devices');
  const began = Date.now();
  const child = spawn(join(installedRoot(), 'bin', 'kedge'), args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let ended: string | undefined;
  child.on('exit', (code, signal) => (ended = signal ?? `exit code ${code}`));
  child.on('error', (error) => (ended = error.message));

  process.stdout.write(`kedge: starting the site in ${layout.data} in the background ...\n`);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const state = await readSiteState(layout);
    const current = state && state.at >= began ? state : undefined;
    if (current?.phase === 'ready') break;
    if (ended !== undefined) {
      const why = current?.phase === 'failed' ? current.say : ended;
      process.stderr.write(`kedge up: the site did not come up: ${why}\n  logs are in ${layout.logs}\n`);
      return 1;
    }
  }
  child.unref();
  process.stdout.write(`kedge: ready; KUBECONFIG=${layout.kubeconfig}\n`);
  return existsSync(layout.kubeconfig) ? 0 : 1;
}
