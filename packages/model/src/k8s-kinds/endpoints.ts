// Endpoints and EndpointSlices.
import { checkDns1123Label, checkPortName, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { EndpointSlice, Endpoints } from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkPort, checkText } from './checks.ts';
import { protocols } from './container-checks.ts';
import { createRules } from './kind-rules.ts';
import { checkIP } from './pod-checks.ts';

export const endpointsRules = createRules<Endpoints>({
  defaults: (endpoints) =>
    endpoints.subsets
      ? {
          ...endpoints,
          subsets: endpoints.subsets.map((subset) =>
            subset.ports
              ? { ...subset, ports: subset.ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' })) }
              : subset,
          ),
        }
      : endpoints,
  validate: ({ subsets = [] }) => subsets.flatMap((subset, i) => checkSubset(subset, `subsets[${i}]`)),
});

type Subset = NonNullable<Endpoints['subsets']>[number];

function checkSubset({ addresses = [], notReadyAddresses = [], ports = [] }: Subset, path: string): FieldError[] {
  return [
    ...(addresses.length + notReadyAddresses.length === 0
      ? [requiredField(path, 'must specify `addresses` or `notReadyAddresses`')]
      : []),
    ...addresses.flatMap(({ ip }, i) => checkIP(ip, `${path}.addresses[${i}].ip`)),
    ...notReadyAddresses.flatMap(({ ip }, i) => checkIP(ip, `${path}.notReadyAddresses[${i}].ip`)),
    ...ports.flatMap(({ name, port, protocol }, i) => [
      ...(ports.length > 1 && !name ? [requiredField(`${path}.ports[${i}].name`)] : []),
      ...checkText(name, checkDns1123Label, `${path}.ports[${i}].name`),
      ...checkPort(port, `${path}.ports[${i}].port`),
      ...checkChoice(protocol, protocols, `${path}.ports[${i}].protocol`),
    ]),
  ];
}

export const endpointSliceRules = createRules<EndpointSlice>({
  defaults: (slice) =>
    slice.ports
      ? {
          ...slice,
          ports: slice.ports.map((port) => ({ ...port, name: port.name ?? '', protocol: port.protocol || 'TCP' })),
        }
      : slice,
  validate: ({ addressType, endpoints = [], ports = [] }) => [
    ...checkChoice(addressType, ['FQDN', 'IPv4', 'IPv6'], 'addressType'),
    ...endpoints.flatMap(({ addresses }, i) =>
      addresses?.length ? [] : [requiredField(`endpoints[${i}].addresses`, 'must contain at least 1 address')],
    ),
    ...ports.flatMap(({ name, protocol }, i) => [
      ...checkText(name, checkPortName, `ports[${i}].name`),
      ...checkChoice(protocol, protocols, `ports[${i}].protocol`),
    ]),
  ],
  validateUpdate: (slice, old) => checkImmutable(slice.addressType, old.addressType, 'addressType'),
});
