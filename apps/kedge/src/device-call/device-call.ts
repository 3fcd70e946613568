// `kedge device call` and `kedge device read`: from wherever kubectl works, by a pod on the node of the device that asks its
// mapper; with --here, from this machine.
import { readFile } from 'node:fs/promises';
import type { Device } from '@kedge/model/kubeedge';
import { devices } from '@kedge/model/kubeedge';
import { isStatus } from '@kedge/model/k8s';
import type { Duration } from '@kedge/core/time';
import { createHttpClient, createRandom, onTermination } from '@kedge/platform/node';
import { nodePod } from '../node-pod/node-pod.ts';
import { type NodeAccess, sayOnStandardError, withNodeAccess } from '../node-pod/node-access.ts';
import { runOnNode } from '../node-pod/run-on-node.ts';
import { sitePorts } from '../site/layout.ts';
import { askMapper, type MapperAnswer, type Question, readAnswer } from './ask-mapper.ts';

/** Of the machine that asks. */
export interface HttpsFiles {
  /** PEM: who has signed the certificate of the mapper, or that itself. */
  readonly ca: string;
  /** For a mapper that wants to know who asks. */
  readonly client: { readonly certificate: string; readonly key: string } | undefined;
  /** The name in the mapper's certificate, when that is not `address`. */
  readonly serverName: string | undefined;
}

export interface DeviceCallOptions {
  readonly namespace: string;
  readonly device: string;
  /** Undefined: which methods there are. */
  readonly question: Question | undefined;
  /** Ask the mapper of this machine. */
  readonly isHere: boolean;
  readonly address: string;
  /** Undefined: where mappers usually are. */
  readonly ports: readonly number[] | undefined;
  readonly timeout: Duration;
  /** Undefined: plain HTTP. */
  readonly https: HttpsFiles | undefined;
  readonly image: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly data: string;
  readonly output: 'text' | 'json';
}

/** `common.http_port` of a mapper that is not told otherwise. */
const usualPort = 7_777;
/** Pulling an image, finding the mapper. */
const besideTheCall = 60;

export async function deviceCall(options: DeviceCallOptions): Promise<number> {
  const termination = onTermination();
  const { signal } = termination;
  try {
    const { question } = options;
    if (options.isHere && question) {
      return print(await here(options, question, signal), options);
    }
    return await withNodeAccess(options, 'kedge-device-call', async (access) => {
      const device = await readNamed(access, options);
      if (!question) return printMethods(device);
      requireKnown(device, question);
      return print(await there(access, device, options, question, signal), options);
    });
  } finally {
    termination.stop();
  }
}

async function here(
  { namespace, device, address, ports = [usualPort], timeout, https }: DeviceCallOptions,
  question: Question,
  signal: AbortSignal,
): Promise<MapperAnswer> {
  const tls = https && (await readHttps(https));
  const asked = { namespace, device, question, address, ports, timeout, isSecure: https !== undefined };
  return askMapper(asked, () => createHttpClient(tls ? { tls } : {}), signal);
}

async function readHttps({ ca, client, serverName }: HttpsFiles) {
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Error(`${path} cannot be read`, { cause });
    });
  return {
    ca: await read(ca),
    ...(client && { certificate: await read(client.certificate), key: await read(client.key) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** The same words for the pod; its files are those of the node, mounted where they are. */
function httpsWords({ ca, client, serverName }: HttpsFiles): string[] {
  return [
    ...['--ca', ca],
    ...(client ? ['--client-cert', client.certificate, '--client-key', client.key] : []),
    ...(serverName === undefined ? [] : ['--server-name', serverName]),
  ];
}

async function there(
  access: NodeAccess,
  { spec }: Device,
  { namespace, device, address, ports, timeout, https }: DeviceCallOptions,
  question: Question,
  signal: AbortSignal,
): Promise<MapperAnswer> {
  const node = spec?.nodeName ?? '';
  if (node === '') throw new Error(`device ${namespace}/${device} has no node: set spec.nodeName`);
  await access.prepare(node);
  const seconds = Math.ceil(timeout / 1_000);
  const words = question.do === 'call' ? [question.method, question.property, question.value] : [question.property];
  const options = ['--here', '-n', namespace, '--timeout', `${seconds}s`, '--output', 'json', '--address', address];
  if (https) options.push(...httpsWords(https));
  const at = ports ?? (await usualPorts(access, node));
  const pod = nodePod({
    name: `kedge-device-${question.do}-${createRandom().uuid().slice(0, 8)}`,
    namespace,
    node,
    image: access.image,
    task: { label: `kedge-device-${question.do}`, container: 'ask' },
    // A value may begin with a hyphen.
    args: ['device', question.do, ...options, '--port', at.join(','), '--', device, ...words],
    longestSeconds: seconds + besideTheCall,
    files: https ? [https.ca, ...(https.client ? [https.client.certificate, https.client.key] : [])] : [],
  });
  const instead = `kedge device ${question.do} --here`;
  const { ok, why, log } = await runOnNode({ api: access.api, pod, instead, say: sayOnStandardError }, signal);
  const { answer, rest } = readAnswer(log);
  for (const line of rest) sayOnStandardError(line);
  if (ok && answer) return answer;
  throw new Error(`it failed on node ${node}${why === '' ? '' : `: ${why}`}`);
}

/** Of a site of this machine, those of its sample mappers too. */
async function usualPorts(access: NodeAccess, node: string): Promise<readonly number[]> {
  const site = await access.siteOf(node);
  if (!site) return [usualPort];
  const { modbusMapper, opcuaMapper } = sitePorts(site.portBase);
  return [modbusMapper, opcuaMapper, usualPort];
}

async function readNamed({ api }: NodeAccess, { namespace, device: name }: DeviceCallOptions): Promise<Device> {
  try {
    return (await api.get(devices, { namespace, name })) as Device;
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
    throw new Error(`there is no device ${namespace}/${name}: "kubectl get devices -A" lists them`, { cause: error });
  }
}

const listed = (names: readonly (string | undefined)[]): string =>
  names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;

/** Before a pod is made for it. */
export function requireKnown({ metadata, spec }: Device, question: Question): void {
  const name = `device ${metadata.namespace}/${metadata.name}`;
  const properties = (spec?.properties ?? []).map((property) => property.name);
  if (question.do === 'call') {
    const methods = spec?.methods ?? [];
    const method = methods.find((one) => one.name === question.method);
    if (!method)
      throw new Error(`${name} has no method "${question.method}": ${listed(methods.map((one) => one.name))}`);
    const taken = method.propertyNames ?? [];
    if (!taken.includes(question.property)) {
      throw new Error(`method "${question.method}" does not take "${question.property}": ${listed(taken)}`);
    }
  }
  if (!properties.includes(question.property)) {
    throw new Error(`${name} has no property "${question.property}": ${listed(properties)}`);
  }
}

function printMethods({ spec }: Device): number {
  const methods = spec?.methods ?? [];
  const width = Math.max(6, ...methods.map(({ name = '' }) => name.length));
  const lines = methods.map(({ name = '', propertyNames = [] }) => `${name.padEnd(width)}  ${propertyNames.join(',')}`);
  process.stdout.write([`${'METHOD'.padEnd(width)}  PROPERTIES`, ...lines, ''].join('\n'));
  return 0;
}

function print(answer: MapperAnswer, { output, question }: DeviceCallOptions): number {
  process.stdout.write(`${output === 'json' ? JSON.stringify(answer) : lineOf(answer, question?.do === 'read')}\n`);
  return 0;
}

/** A value may be any text of a stranger. */
function lineOf({ say, value }: MapperAnswer, isRead: boolean): string {
  const shown = value !== undefined && /\p{Cc}/u.test(value) ? JSON.stringify(value) : value;
  const said = say.replaceAll(/\p{Cc}+/gu, ' ');
  if (shown === undefined) return said;
  return isRead ? shown : `${said}: ${shown}`;
}
