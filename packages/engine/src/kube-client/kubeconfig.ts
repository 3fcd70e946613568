// Reads a kubeconfig: the cluster and user of its current context. Pure; files it names are read by `loadKubeconfig`.
import { type Secret, secret } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { parse } from 'yaml';
import { kubeClientErrors } from './kube-client-errors.ts';

/** PEM given in the file itself, or a path to it, relative to the kubeconfig's directory unless absolute. */
export type PemSource = { readonly pem: string } | { readonly file: string };

export interface Kubeconfig {
  readonly context: string;
  readonly server: string;
  readonly namespace: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  readonly ca: PemSource | undefined;
  readonly client: { readonly certificate: PemSource; readonly key: Secret<PemSource> } | undefined;
  readonly token: Secret<string> | { readonly file: string } | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const bad = (field: string, problem: string, cause?: unknown) =>
  kubeClientErrors.BAD_KUBECONFIG({ field, problem }, cause);

/** Throws KUBE_BAD_KUBECONFIG naming the field that is wrong. `context` overrides current-context. */
export function parseKubeconfig(text: string, { context }: { context?: string } = {}): Kubeconfig {
  const root = readRoot(text);
  const contextName = context ?? textAt(root, 'current-context', 'current-context');
  if (!contextName) throw bad('current-context', 'is not set; name a context');
  const chosen = named(root, 'contexts', 'context', contextName);
  const clusterName = textAt(chosen, 'cluster', `contexts[${contextName}].cluster`);
  if (!clusterName) throw bad(`contexts[${contextName}].cluster`, 'is not set');
  const userName = textAt(chosen, 'user', `contexts[${contextName}].user`);
  const cluster = named(root, 'clusters', 'cluster', clusterName);
  const user = userName ? named(root, 'users', 'user', userName) : {};
  return {
    context: contextName,
    namespace: textAt(chosen, 'namespace', `contexts[${contextName}].namespace`),
    ...readCluster(cluster, `clusters[${clusterName}]`),
    ...readUser(user, `users[${userName ?? ''}]`),
  };
}

function readRoot(text: string): Fields {
  let root: unknown;
  try {
    root = parse(text, { version: '1.1' });
  } catch (error) {
    throw bad('the file', 'is not YAML', error);
  }
  if (!isFields(root)) throw bad('the file', 'holds no mapping of fields');
  if (root['kind'] !== undefined && root['kind'] !== 'Config')
    throw bad('kind', `is ${JSON.stringify(root['kind'])}, not "Config"`);
  return root;
}

function readCluster(cluster: Fields, at: string) {
  const server = textAt(cluster, 'server', `${at}.server`);
  if (!server) throw bad(`${at}.server`, 'is not set');
  if (!URL.canParse(server) || !/^https?:/.test(server))
    throw bad(`${at}.server`, `is not an http or https URL: ${server}`);
  if (cluster['proxy-url']) throw bad(`${at}.proxy-url`, 'is not supported');
  return {
    server,
    tlsServerName: textAt(cluster, 'tls-server-name', `${at}.tls-server-name`),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    ca: pemAt(cluster, 'certificate-authority', at),
  };
}

function readUser(user: Fields, at: string): Pick<Kubeconfig, 'client' | 'token'> {
  for (const field of ['exec', 'auth-provider', 'username']) {
    if (user[field]) throw bad(`${at}.${field}`, 'is not supported; use a client certificate or a token');
  }
  const certificate = pemAt(user, 'client-certificate', at);
  const key = pemAt(user, 'client-key', at);
  if (certificate && !key) throw bad(`${at}.client-key-data`, 'is not set, but there is a client certificate');
  if (key && !certificate) throw bad(`${at}.client-certificate-data`, 'is not set, but there is a client key');
  const token = textAt(user, 'token', `${at}.token`);
  const tokenFile = textAt(user, 'tokenFile', `${at}.tokenFile`);
  return {
    client: certificate && key ? { certificate, key: secret(key) } : undefined,
    token: token ? secret(token) : tokenFile ? { file: tokenFile } : undefined,
  };
}

/** The entry of a list of `{ name, [inner]: {...} }`. */
function named(root: Fields, list: string, inner: string, name: string): Fields {
  const entries = root[list];
  if (!Array.isArray(entries)) throw bad(list, 'is not a list');
  const entry: unknown = entries.find((candidate) => isFields(candidate) && candidate['name'] === name);
  if (!isFields(entry)) throw bad(list, `has no entry named "${name}"`);
  const value = entry[inner];
  if (!isFields(value)) throw bad(`${list}[${name}].${inner}`, 'is not set');
  return value;
}

function pemAt(from: Fields, field: string, at: string): PemSource | undefined {
  const data = textAt(from, `${field}-data`, `${at}.${field}-data`);
  if (data) return { pem: decodePem(data, `${at}.${field}-data`) };
  const file = textAt(from, field, `${at}.${field}`);
  return file ? { file } : undefined;
}

function decodePem(data: string, at: string): string {
  let pem: string;
  try {
    pem = atob(data.replace(/\s+/g, ''));
  } catch (error) {
    throw bad(at, 'is not base64', error);
  }
  if (!pem.includes('-----BEGIN ')) throw bad(at, 'is not PEM');
  return pem;
}

function textAt(from: Fields, field: string, at: string): string | undefined {
  const value = from[field];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw bad(at, 'is not text');
  return value;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A kubeconfig with the files it names read in: what an HTTP client and a KubeApi are made of. */
export interface LoadedKubeconfig {
  readonly server: string;
  readonly namespace: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  /** PEM. */
  readonly ca: string | undefined;
  readonly client: { readonly certificate: string; readonly key: Secret<string> } | undefined;
  /** Reads a token file anew each time, because such tokens rotate. */
  readonly token: (() => Promise<Secret<string>>) | undefined;
}

/** Reads the kubeconfig at `path` and what it names. */
export async function loadKubeconfig(files: Pick<Files, 'readText'>, path: string): Promise<LoadedKubeconfig> {
  const text = await files.readText(path);
  if (text === undefined) throw bad('the file', `${path} does not exist`);
  const config = parseKubeconfig(text);
  const inDirectory = (file: string) =>
    file.startsWith('/') ? file : `${path.slice(0, path.lastIndexOf('/') + 1)}${file}`;
  const readFile = async (file: string): Promise<string> => {
    const content = await files.readText(inDirectory(file));
    if (content === undefined) throw bad('the file', `names ${inDirectory(file)}, which does not exist`);
    return content;
  };
  const readPem = async (source: PemSource): Promise<string> => ('pem' in source ? source.pem : readFile(source.file));
  const { client, token, ca } = config;
  return {
    server: config.server,
    namespace: config.namespace,
    tlsServerName: config.tlsServerName,
    insecureSkipTlsVerify: config.insecureSkipTlsVerify,
    ca: ca && (await readPem(ca)),
    client: client && {
      certificate: await readPem(client.certificate),
      key: secret(await readPem(client.key.reveal())),
    },
    token: token && (async () => ('file' in token ? secret((await readFile(token.file)).trim()) : token)),
  };
}
