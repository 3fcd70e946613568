// Endpoints and EndpointSlices.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  duplicateField,
  invalidField,
  requiredField,
  tooManyItems,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Endpoint, EndpointAddress, EndpointSlice, Endpoints } from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkPort, checkText, repeated } from './checks.ts';
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
    ...addresses.flatMap((address, i) => checkAddress(address, `${path}.addresses[${i}]`)),
    ...notReadyAddresses.flatMap((address, i) => checkAddress(address, `${path}.notReadyAddresses[${i}]`)),
    ...ports.flatMap(({ name, port, protocol, appProtocol }, i) => [
      ...(ports.length > 1 && !name ? [requiredField(`${path}.ports[${i}].name`)] : []),
      ...checkText(name, checkDns1123Label, `${path}.ports[${i}].name`),
      ...checkPort(port ?? 0, `${path}.ports[${i}].port`),
      ...checkChoice(protocol, protocols, `${path}.ports[${i}].protocol`),
      ...checkApplication(appProtocol, `${path}.ports[${i}].appProtocol`),
    ]),
  ];
}

const checkAddress = ({ ip = '', hostname, nodeName }: EndpointAddress, path: string): FieldError[] => [
  ...checkIP(ip, `${path}.ip`),
  ...checkText(hostname, checkDns1123Label, `${path}.hostname`),
  ...checkNodeName(nodeName, `${path}.nodeName`),
];

const checkNodeName = (name: string | undefined, path: string): FieldError[] =>
  name === undefined ? [] : checkDns1123Subdomain(name).map((sentence) => invalidField(path, name, sentence));

const checkApplication = (protocol: string | undefined, path: string): FieldError[] =>
  protocol === undefined ? [] : checkQualifiedName(protocol).map((sentence) => invalidField(path, protocol, sentence));

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
    ...endpoints.flatMap((endpoint, i) => checkEndpoint(endpoint, addressType, `endpoints[${i}]`)),
    ...ports.flatMap(({ name, protocol, appProtocol }, i) => [
      ...checkText(name, checkDns1123Label, `ports[${i}].name`),
      ...(protocols.includes(protocol ?? '')
        ? []
        : [unsupportedField(`ports[${i}].protocol`, protocol ?? '', protocols)]),
      ...checkApplication(appProtocol, `ports[${i}].appProtocol`),
    ]),
    ...repeated(ports, ({ name }) => `port ${name}`).map((i) => duplicateField(`ports[${i}].name`, ports[i]!.name)),
  ],
  validateUpdate: (slice, old) => checkImmutable(slice.addressType ?? '', old.addressType ?? '', 'addressType'),
});

const maxAddresses = 100;

function checkEndpoint(
  { addresses = [], hostname, nodeName, hints }: Endpoint,
  addressType: string,
  path: string,
): FieldError[] {
  const zones = hints?.forZones ?? [];
  return [
    ...(addresses.length === 0 ? [requiredField(`${path}.addresses`, 'must contain at least 1 address')] : []),
    ...(addresses.length > maxAddresses ? [tooManyItems(`${path}.addresses`, addresses.length, maxAddresses)] : []),
    ...addresses.flatMap((address, at) => checkOfType(address, addressType, `${path}.addresses[${at}]`)),
    ...(hostname === undefined
      ? []
      : checkDns1123Label(hostname).map((sentence) => invalidField(`${path}.hostname`, hostname, sentence))),
    ...checkNodeName(nodeName, `${path}.nodeName`),
    ...zones.flatMap(({ name = '' }, at) =>
      checkLabelValue(name).map((sentence) => invalidField(`${path}.hints.forZones[${at}].name`, name, sentence)),
    ),
    ...repeated(zones, ({ name }) => name).map((at) =>
      duplicateField(`${path}.hints.forZones[${at}].name`, zones[at]!.name),
    ),
  ];
}

function checkOfType(address: string, type: string, path: string): FieldError[] {
  switch (type) {
    case 'IPv4':
    case 'IPv6':
      return [
        ...checkIP(address, path),
        ...(isOfFamily(address, type) ? [] : [invalidField(path, address, `must be a valid ${type} address`)]),
      ];
    case 'FQDN':
      return checkDns1123Subdomain(address).map((sentence) => invalidField(path, address, sentence));
    default:
      return [];
  }
}

const isOfFamily = (address: string, family: string): boolean =>
  checkIP(address, '').length === 0 && address.includes(':') === (family === 'IPv6');
