// What EndpointSlices stand for Endpoints that a person or a program wrote for a Service without selector. Pure.
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Endpoint, Endpoints, EndpointSlice, EndpointSubset } from '@kedge/model/k8s-types';
import { isIPv4, isIPv6 } from './plan-endpoints.ts';
import { serviceNameLabel, type SlicePlan } from './plan-slices.ts';

const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const manager = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const lastTriggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** Per subset and family; more are left out, as upstream does it. */
const maxEndpoints = 1_000;

export const isMirror = ({ metadata }: EndpointSlice): boolean => metadata.labels?.[managedByLabel] === manager;

/** Records of leader elections are Endpoints too, and nothing to send traffic to. */
export const isMirrored = ({ metadata }: Endpoints): boolean =>
  metadata.labels?.[skipLabel] !== 'true' && metadata.annotations?.[leaderAnnotation] === undefined;

export function planMirrors(endpoints: Endpoints | undefined, existing: readonly EndpointSlice[]): SlicePlan {
  const wanted = endpoints ? (endpoints.subsets ?? []).flatMap((subset) => slicesOf(endpoints, subset)) : [];
  const free = [...existing];
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], delete: [] as EndpointSlice[] };
  for (const slice of wanted) {
    const at = free.findIndex(
      (one) => one.addressType === slice.addressType && jsonEqual(one.ports ?? [], slice.ports ?? []),
    );
    const known = at < 0 ? undefined : free.splice(at, 1)[0];
    if (!known) plan.create.push(slice);
    else if (!isSame(known, slice))
      plan.update.push({ ...known, metadata: { ...known.metadata, ...kept(slice) }, endpoints: slice.endpoints });
  }
  plan.delete.push(...free);
  return plan;
}

const kept = ({ metadata: { labels, annotations } }: EndpointSlice) => ({
  ...(labels ? { labels } : {}),
  ...(annotations ? { annotations } : {}),
});

const isSame = (a: EndpointSlice, b: EndpointSlice): boolean =>
  jsonEqual(a.endpoints, b.endpoints) &&
  jsonEqual(a.metadata.labels, b.metadata.labels) &&
  jsonEqual(a.metadata.annotations ?? {}, b.metadata.annotations ?? {});

function slicesOf({ metadata }: Endpoints, { addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset) {
  const all = [
    ...addresses.map((address) => [address, true] as const),
    ...notReadyAddresses.map((address) => [address, false] as const),
  ];
  const { namespace, name = '', labels, annotations = {} } = metadata;
  const ownAnnotations = Object.entries(annotations).filter(
    ([key]) => key !== lastTriggerAnnotation && key !== lastAppliedAnnotation,
  );
  return [
    ['IPv4', isIPv4],
    ['IPv6', isIPv6],
  ].flatMap(([addressType, isOf]): EndpointSlice[] => {
    const ofFamily = all.filter(([{ ip }]) => (isOf as (ip: string) => boolean)(ip)).slice(0, maxEndpoints);
    if (ofFamily.length === 0) return [];
    return [
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          generateName: `${name}-`,
          ...(namespace === undefined ? {} : { namespace }),
          labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: manager },
          ...(ownAnnotations.length > 0 ? { annotations: Object.fromEntries(ownAnnotations) } : {}),
          ownerReferences: [
            {
              apiVersion: 'v1',
              kind: 'Endpoints',
              name,
              uid: metadata.uid ?? '',
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        },
        addressType: addressType as string,
        endpoints: ofFamily.map(([{ ip, hostname, nodeName, targetRef }, ready]): Endpoint => ({
          addresses: [ip],
          conditions: { ready },
          ...(hostname ? { hostname } : {}),
          ...(nodeName ? { nodeName } : {}),
          ...(targetRef ? { targetRef } : {}),
        })),
        ports: ports.map(({ name: port = '', port: number, protocol = 'TCP', appProtocol }) => ({
          name: port,
          port: number,
          protocol,
          ...(appProtocol === undefined ? {} : { appProtocol }),
        })),
      },
    ];
  });
}
