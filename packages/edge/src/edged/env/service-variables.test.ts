// Which variables tell of which services.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Service, ServiceSpec } from '@kedge/model/k8s-types';
import { serviceVariables } from './service-variables.ts';

const service = (name: string, spec: ServiceSpec, namespace = 'shop'): Service => ({
  metadata: { name, namespace },
  spec,
});
const pod = (enableServiceLinks?: boolean, namespace = 'shop'): Pod => ({
  metadata: { name: 'web', namespace },
  spec: { containers: [], ...(enableServiceLinks === undefined ? {} : { enableServiceLinks }) },
});
const variables = (services: Service[], of: Pod) => Object.fromEntries(serviceVariables(services, of));

const master = service('kubernetes', { clusterIP: '10.0.0.1', ports: [{ name: 'https', port: 443 }] }, 'default');
const masterVariables = {
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  KUBERNETES_SERVICE_PORT: '443',
  KUBERNETES_SERVICE_PORT_HTTPS: '443',
  KUBERNETES_PORT: 'tcp://10.0.0.1:443',
  KUBERNETES_PORT_443_TCP: 'tcp://10.0.0.1:443',
  KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
  KUBERNETES_PORT_443_TCP_PORT: '443',
  KUBERNETES_PORT_443_TCP_ADDR: '10.0.0.1',
};
const dns = service('my-dns', {
  clusterIP: 'fd00::10',
  ports: [
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ],
});

test('a service with several ports, in the order that Kubernetes has', () => {
  assert.deepEqual(
    [...serviceVariables([dns], pod())],
    Object.entries({
      MY_DNS_SERVICE_HOST: 'fd00::10',
      MY_DNS_SERVICE_PORT: '53',
      MY_DNS_SERVICE_PORT_DNS_TCP: '53',
      MY_DNS_SERVICE_PORT_DNS: '53',
      MY_DNS_PORT: 'tcp://[fd00::10]:53',
      MY_DNS_PORT_53_TCP: 'tcp://[fd00::10]:53',
      MY_DNS_PORT_53_TCP_PROTO: 'tcp',
      MY_DNS_PORT_53_TCP_PORT: '53',
      MY_DNS_PORT_53_TCP_ADDR: 'fd00::10',
      MY_DNS_PORT_53_UDP: 'udp://[fd00::10]:53',
      MY_DNS_PORT_53_UDP_PROTO: 'udp',
      MY_DNS_PORT_53_UDP_PORT: '53',
      MY_DNS_PORT_53_UDP_ADDR: 'fd00::10',
    }),
  );
});

test('a pod that wants no links learns of the API only', () => {
  assert.deepEqual(variables([dns, master], pod(false)), masterVariables);
});

test('services of other namespaces, headless ones, names and those without ports are not told of', () => {
  const others = [
    service('other', { clusterIP: '10.0.0.2', ports: [{ port: 1 }] }, 'elsewhere'),
    service('headless', { clusterIP: 'None', ports: [{ port: 1 }] }),
    service('alias', { type: 'ExternalName', externalName: 'example.com' }),
    service('silent', { clusterIP: '10.0.0.3' }),
  ];
  assert.deepEqual(variables(others, pod()), {});
});

test('a service called kubernetes in the pod’s namespace takes the place of the API, where links are wanted', () => {
  const own = service('kubernetes', { clusterIP: '10.0.0.7', ports: [{ port: 80 }] });
  for (const services of [
    [master, own],
    [own, master],
  ]) {
    assert.equal(variables(services, pod())['KUBERNETES_SERVICE_HOST'], '10.0.0.7');
    assert.equal(variables(services, pod(false))['KUBERNETES_SERVICE_HOST'], '10.0.0.1');
  }
});

test('in the namespace default the API is told of once', () => {
  assert.deepEqual(variables([master], pod(true, 'default')), masterVariables);
});
