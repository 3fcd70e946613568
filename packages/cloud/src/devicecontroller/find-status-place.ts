// Where this API takes the status of a device. KubeEdge v1.22 has it on the Device, v1.23 in a DeviceStatus; an API drops
// what its schema does not know, so the schema is what to go by.
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { StatusPart } from './up/plan-status.ts';
import type { StatusPlace } from './up/status-writer.ts';

const definitions = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

type Schema = { readonly properties?: Readonly<Record<string, Schema>> };
type Version = { readonly name: string; readonly schema?: { readonly openAPIV3Schema?: Schema } };

/** What v1.23 keeps in DeviceStatus; the rest goes to its `extensions`, which keep anything. */
const everything: ReadonlySet<StatusPart> = new Set([
  'twins',
  'state',
  'lastOnlineTime',
  'conditions',
  'summary',
  'lastReportTime',
  'edgeVersions',
  'reportedBy',
]);

export async function findStatusPlace(kube: KubeApi, signal: AbortSignal): Promise<StatusPlace> {
  const parts = Object.keys(statusSchema(await read(kube, signal)).properties ?? {}) as StatusPart[];
  if (parts.includes('twins')) return { on: 'Device', parts: new Set(parts) };
  return { on: 'DeviceStatus', parts: everything };
}

async function read(kube: KubeApi, signal: AbortSignal): Promise<KubeObject | undefined> {
  try {
    return await kube.get(definitions, { name: 'devices.devices.kubeedge.io' }, { signal });
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined;
    throw error;
  }
}

function statusSchema(definition: KubeObject | undefined): Schema {
  const { versions = [] } = (definition?.['spec'] ?? {}) as { versions?: Version[] };
  const schema = versions.find(({ name }) => name === 'v1beta1')?.schema?.openAPIV3Schema;
  return schema?.properties?.['status'] ?? {};
}
