// Services get a cluster address and, by type, node ports; they keep them for life and give them back at the end.
import type { Random } from '@kedge/core/ports';
import { fail, invalidField, invalidObject, type KubeObject } from '@kedge/model/k8s';
import type { Service, ServiceSpec } from '@kedge/model/k8s-types';
import type { AdmissionStep } from './admission.ts';
import { addressPool, formatIPv4, NumberPool, parseIPv4 } from './address-range.ts';

export interface ServiceAddresses {
  readonly step: AdmissionStep;
  /** The first address of the range: the API server's own. */
  readonly apiAddress: string;
  /** After a write, and for every service at start: what it holds now, or nothing once it is gone. */
  settle(before: KubeObject | undefined, after: KubeObject | undefined): void;
}

export function createServiceAddresses(deps: {
  readonly random: Random;
  readonly cidr: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
}): ServiceAddresses {
  const addresses = addressPool(deps.cidr);
  const ports = new NumberPool(deps.nodePorts.first, deps.nodePorts.last);
  const ownerOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;

  function giveAddress(object: KubeObject, spec: ServiceSpec): void {
    if (spec.clusterIP === 'None') {
      spec.clusterIPs = ['None'];
      return;
    }
    const owner = ownerOf(object);
    if (spec.clusterIP) {
      const number = parseIPv4(spec.clusterIP);
      if (number === undefined || !addresses.has(number)) {
        throw invalid(
          object,
          'spec.clusterIPs',
          [spec.clusterIP],
          `failed to allocate IP ${spec.clusterIP}: the provided network does not match the current range`,
        );
      }
      if (!addresses.take(number, owner)) {
        throw invalid(
          object,
          'spec.clusterIPs',
          [spec.clusterIP],
          'failed to allocate IP: provided IP is already allocated',
        );
      }
    } else {
      const number = addresses.takeAny(owner, deps.random);
      if (number === undefined) throw fail('InternalError', `no cluster address is free in ${deps.cidr}`);
      spec.clusterIP = formatIPv4(number);
    }
    spec.clusterIPs = [spec.clusterIP];
  }

  function givePorts(object: KubeObject, spec: ServiceSpec): void {
    const owner = ownerOf(object);
    const givenHere = new Map<number, string>();
    for (const port of spec.ports ?? []) {
      if (port.nodePort) {
        // The same number may serve two protocols of one service.
        if (
          givenHere.get(port.nodePort) === port.protocol ||
          !ports.has(port.nodePort) ||
          !ports.take(port.nodePort, owner)
        ) {
          const why = ports.has(port.nodePort)
            ? 'provided port is already allocated'
            : `provided port is not in the valid range. The range of valid ports is ${ports.first}-${ports.last}`;
          throw invalid(object, 'spec.ports[0].nodePort', port.nodePort, why);
        }
      } else {
        const number = ports.takeAny(owner, deps.random);
        if (number === undefined) throw fail('InternalError', 'no node port is free');
        port.nodePort = number;
      }
      givenHere.set(port.nodePort, port.protocol ?? 'TCP');
    }
  }

  return {
    apiAddress: formatIPv4(addresses.first),
    step: {
      name: 'ServiceAddresses',
      admit({ operation, kind, object, subresource, dryRun }) {
        if (kind.collection !== 'services' || subresource !== undefined || !object || operation === 'delete') return;
        const spec = (object['spec'] ??= {}) as ServiceSpec;
        if (!usesNodePorts(spec)) for (const port of spec.ports ?? []) delete port.nodePort;
        // A trial must not use up addresses; what it would get is not known then.
        if (dryRun) return;
        if (spec.type === 'ExternalName') {
          delete spec.clusterIP;
          delete spec.clusterIPs;
          return;
        }
        giveAddress(object, spec);
        if (usesNodePorts(spec)) givePorts(object, spec);
        spec.ipFamilies ??= ['IPv4'];
        spec.ipFamilyPolicy ??= 'SingleStack';
      },
    },
    settle(before, after) {
      const object = after ?? before;
      if (!object) return;
      const owner = ownerOf(object);
      const spec = (after as Service | undefined)?.spec;
      const address = parseIPv4(spec?.clusterIP ?? '');
      const held = new Set((spec?.ports ?? []).flatMap(({ nodePort }) => nodePort ?? []));
      addresses.keepOnly(owner, new Set(address === undefined ? [] : [address]));
      ports.keepOnly(owner, held);
      if (address !== undefined) addresses.take(address, owner);
      for (const port of held) ports.take(port, owner);
    },
  };
}

const usesNodePorts = ({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean =>
  type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);

const invalid = (object: KubeObject, field: string, value: unknown, why: string): Error =>
  invalidObject({ group: '', kind: 'Service' }, object.metadata.name ?? '', [invalidField(field, value, why)]);
