// The environment of a container, from literals, fields, resources, ConfigMaps and Secrets, in the order that the pod
// gives them; later values see earlier ones, and those of services, through $(NAME).
import type { ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret } from '@kedge/model/k8s-types';
import { allContainersOf } from '../pod/pod-spec.ts';
import { edgedErrors } from '../errors.ts';
import { expand } from './expand.ts';
import { type PodAddresses, readField } from './field-path.ts';
import { type Allocatable, readResource } from './resource-field.ts';

export interface EnvironmentSources {
  readonly pod: Pod;
  readonly addresses: PodAddresses;
  readonly allocatable: Allocatable;
  /** Undefined when there is none; throws when it cannot be had just now. */
  readonly configMap: (name: string) => Promise<ConfigMap | undefined>;
  readonly secret: (name: string) => Promise<Secret | undefined>;
  /** What the pod learns of services by its environment; its own variables win. */
  readonly services: ReadonlyMap<string, string>;
}

/** Throws EDGED_CONFIG when something that is not optional is missing. */
export async function buildEnvironment(
  container: Container,
  sources: EnvironmentSources,
): Promise<ReadonlyMap<string, string>> {
  const variables = new Map<string, string>();
  for (const { configMapRef, secretRef, prefix = '' } of container.envFrom ?? []) {
    const data = configMapRef
      ? await readConfigMap(container, configMapRef, sources)
      : await readSecret(container, secretRef ?? {}, sources);
    for (const [key, value] of data) if (isName(key)) variables.set(prefix + key, value);
  }
  const known = { get: (name: string) => variables.get(name) ?? sources.services.get(name) };
  for (const entry of container.env ?? []) {
    const value = await valueOf(entry, known, container, sources);
    if (value !== undefined) variables.set(entry.name, value);
  }
  for (const [name, value] of sources.services) if (!variables.has(name)) variables.set(name, value);
  return variables;
}

/** What the kernel can carry: anything without an equals sign. */
const isName = (key: string): boolean => key !== '' && !key.includes('=');

type Refer = { readonly name?: string; readonly optional?: boolean };

async function readConfigMap(
  container: Container,
  ref: Refer,
  sources: EnvironmentSources,
): Promise<Map<string, string>> {
  const found = await sources.configMap(ref.name ?? '');
  if (!found && !ref.optional) throw missing(container, `configmap "${ref.name}" not found`);
  return new Map(Object.entries(found?.data ?? {}));
}

async function readSecret(container: Container, ref: Refer, sources: EnvironmentSources): Promise<Map<string, string>> {
  const found = await sources.secret(ref.name ?? '');
  if (!found && !ref.optional) throw missing(container, `secret "${ref.name}" not found`);
  return new Map(Object.entries(found?.data ?? {}).map(([key, value]) => [key, decodeText(value)]));
}

async function valueOf(
  { name, value, valueFrom }: EnvVar,
  variables: Pick<ReadonlyMap<string, string>, 'get'>,
  container: Container,
  sources: EnvironmentSources,
): Promise<string | undefined> {
  if (!valueFrom) return expand(value ?? '', variables);
  const { pod, addresses, allocatable } = sources;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef) {
    const field = readField(pod, fieldRef.fieldPath, addresses);
    if (field === undefined) throw missing(container, `variable ${name}: there is no field ${fieldRef.fieldPath}`);
    return field;
  }
  if (resourceFieldRef) {
    const of = allContainersOf(pod).find((one) => one.name === resourceFieldRef.containerName) ?? container;
    const amount = readResource(of, resourceFieldRef, allocatable);
    if (amount === undefined) throw missing(container, `variable ${name}: no resource ${resourceFieldRef.resource}`);
    return amount;
  }
  if (configMapKeyRef)
    return pick(container, 'configmap', configMapKeyRef, await readConfigMap(container, configMapKeyRef, sources));
  if (secretKeyRef) return pick(container, 'secret', secretKeyRef, await readSecret(container, secretKeyRef, sources));
  throw missing(container, `variable ${name}: ${unknownSource(valueFrom)}`);
}

function pick(
  container: Container,
  kind: string,
  { name, key, optional }: Refer & { readonly key: string },
  data: ReadonlyMap<string, string>,
): string | undefined {
  const value = data.get(key);
  if (value === undefined && !optional) throw missing(container, `couldn't find key ${key} in ${kind} "${name}"`);
  return value;
}

const unknownSource = (source: EnvVarSource): string =>
  `values from ${Object.keys(source).join(', ')} are not supported`;
const missing = (container: Container, reason: string): Error =>
  edgedErrors.CONFIG({ container: container.name, reason });

/** Secrets carry base64 of UTF-8. */
export function decodeText(base64: string): string {
  return new TextDecoder().decode(decodeBytes(base64));
}

export function decodeBytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
