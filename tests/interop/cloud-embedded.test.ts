// cloudcore on our own API server, through a kubeconfig and real HTTP: definitions install themselves, twice without
// harm, and a MetaServer's certificate request is approved there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { clusterObjectSyncs, type Device, deviceModels, devices, objectSyncs } from '@kedge/model/kubeedge';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { eventually, scratch, startEmbeddedApi, startLiveCloud, withDevices } from './cloud-go-rig.ts';
import { api } from './cloud-rig.ts';

const requests = api('certificatesigningrequests', 'certificates.k8s.io');

/** A request as Go's MetaServer makes it, subject and all. */
async function servingRequest(directory: string): Promise<string> {
  const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  args.push('-keyout', join(directory, 'key.pem'), '-subj', '/O=system:nodes/CN=system:node:e1');
  const { stdout } = await promisify(execFile)('openssl', [...args, '-addext', 'subjectAltName=IP:127.0.0.1']);
  return Buffer.from(stdout).toString('base64');
}

test('cloudcore serves from our API server, and starts again on what it left there', { timeout: 60_000 }, async (t) => {
  const { directory, later } = await scratch(t);
  const { kube } = await startEmbeddedApi({ directory, later });

  const first = await startLiveCloud(kube, join(directory, 'cloud.log'));
  const token = first.token();
  for (const collection of [objectSyncs, clusterObjectSyncs]) {
    assert.deepEqual((await kube.list(collection)).items, []);
  }
  const sync = (name: string): KubeObject => ({
    apiVersion: 'reliablesyncs.kubeedge.io/v1alpha1',
    kind: 'ObjectSync',
    metadata: { name, namespace: 'default' },
    spec: { objectAPIVersion: 'v1', objectKind: 'Pod', objectName: 'web' },
  });
  await kube.create(objectSyncs, 'default', sync('e1.u-1'));
  const wrong = { ...sync('e1.u-2'), spec: { objectName: 7 } };
  await assert.rejects(kube.create(objectSyncs, 'default', wrong), (error) => isStatus(error, 'Invalid'));
  await first.stop();

  const second = await startLiveCloud(kube, join(directory, 'cloud.log'));
  later(() => second.stop());
  assert.equal(second.token().split('.')[0], token.split('.')[0]);

  const spec = {
    request: await servingRequest(directory),
    signerName: 'kubernetes.io/kubelet-serving',
    usages: ['digital signature', 'key encipherment', 'server auth'],
  };
  const csr = (name: string, signerName: string): KubeObject => ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: { ...spec, signerName },
  });
  await kube.create(requests, undefined, csr('somebody-else', 'example.com/signer'));
  await kube.create(requests, undefined, csr('metaserver-csr-1', spec.signerName));
  const conditions = async (name: string) => {
    const { status } = await kube.get(requests, { name });
    return ((status as { conditions?: { type: string }[] } | undefined)?.conditions ?? []).map(({ type }) => type);
  };
  await eventually('approval', 10_000, async () => (await conditions('metaserver-csr-1')).includes('Approved'));
  assert.deepEqual(await conditions('somebody-else'), []);
});

test(
  'cloudcore registers its webhooks with our API server, and what they refuse is refused',
  { timeout: 60_000 },
  async (t) => {
    const { directory, later } = await scratch(t);
    const { kube } = await startEmbeddedApi({ directory, later });
    const cloud = await startLiveCloud(
      kube,
      join(directory, 'cloud.log'),
      undefined,
      {},
      {
        ...withDevices(directory),
        admission: { address: '127.0.0.1', port: 0, place: { by: 'url', url: 'https://127.0.0.1' } },
      },
    );
    later(() => cloud.stop());
    const metadata = (name: string) => ({ name, namespace: 'default' });
    const made = (kind: string, name: string, spec: object): KubeObject => ({
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind,
      metadata: metadata(name),
      spec,
    });
    const properties = [{ name: 'temperature', type: 'INT', accessMode: 'ReadWrite', maximum: '100' }];
    await kube.create(deviceModels, 'default', made('DeviceModel', 'm', { properties }));
    const wanting = (value: string) => ({
      deviceModelRef: { name: 'm' },
      properties: [{ name: 'temperature', desired: { value } }],
    });
    await assert.rejects(
      kube.create(devices, 'default', made('Device', 'hot', wanting('101'))),
      /spec\.properties\[0\]\.desired\.value: "101" is above the maximum of 100/,
    );
    await kube.create(devices, 'default', made('Device', 'warm', wanting('99')));
    await eventually('the condition of the device', 10_000, async () => {
      const { status } = (await kube.get(devices, metadata('warm'))) as Device;
      return status?.conditions?.some(({ type, status: is }) => type === 'Valid' && is === 'True') || status;
    });
    // An old file is taken, and says the same in today's version.
    const oldDevice: KubeObject = {
      ...made('Device', 'old', {
        deviceModelRef: { name: 'm' },
        nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: '', operator: 'In', values: ['edge-1'] }] }] },
        protocol: { modbus: { slaveID: 3 }, common: { tcp: { ip: '10.0.0.5', port: 502 } } },
        propertyVisitors: [{ propertyName: 'temperature', modbus: { register: 'HoldingRegister', offset: 2 } }],
      }),
      apiVersion: 'devices.kubeedge.io/v1alpha2',
    };
    const oldVersion = { ...devices, version: 'v1alpha2' };
    await kube.create(oldVersion, 'default', oldDevice);
    const { spec } = (await kube.get(devices, metadata('old'))) as Device;
    assert.equal(spec?.nodeName, 'edge-1');
    assert.deepEqual(spec?.protocol, {
      protocolName: 'modbus',
      configData: { communicateMode: 'TCP', ip: '10.0.0.5', port: 502, slaveID: 3 },
    });
    assert.deepEqual((await kube.get(oldVersion, metadata('old')))['spec'], oldDevice['spec']);
    // Its registration is put right again with every start.
    const hooks = api('validatingwebhookconfigurations', 'admissionregistration.k8s.io');
    const { webhooks } = (await kube.get(hooks, {
      name: 'kubeedge-crds-validate-webhook-configuration',
    })) as unknown as {
      webhooks: { name: string; clientConfig: { url: string } }[];
    };
    assert.equal(webhooks.length, 5);
    assert.match(webhooks[0]!.clientConfig.url, /^https:\/\/127\.0\.0\.1:\d+\/devices$/);
  },
);

const collections: Readonly<Record<string, ReturnType<typeof api>>> = {
  Namespace: api('namespaces'),
  ServiceAccount: api('serviceaccounts'),
  ClusterRole: api('clusterroles', 'rbac.authorization.k8s.io'),
  ClusterRoleBinding: api('clusterrolebindings', 'rbac.authorization.k8s.io'),
  Role: api('roles', 'rbac.authorization.k8s.io'),
  RoleBinding: api('rolebindings', 'rbac.authorization.k8s.io'),
};

test('the documented role is enough for cloudcore', { timeout: 60_000 }, async (t) => {
  const { directory, later } = await scratch(t);
  const { server, kube: admin } = await startEmbeddedApi({ directory, later });
  const document = await readFile(join(import.meta.dirname, '../../docs/cloudcore-rbac.yaml'), 'utf8');
  for (const parsed of parseAllDocuments(document)) {
    const object = parsed.toJS() as KubeObject;
    await admin.create(collections[object.kind!]!, object.metadata.namespace, object);
  }
  const { status } = (await admin.create(
    api('serviceaccounts'),
    'kubeedge',
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { audiences: [] },
    } as KubeObject,
    { subresource: { name: 'cloudcore', subresource: 'token' } },
  )) as KubeObject & { status: { token: string } };
  const kubeconfig = parse(await readFile(server.kubeconfigPath, 'utf8')) as { users: { user: object }[] };
  for (const one of kubeconfig.users) one.user = { token: status.token };
  await writeFile(join(directory, 'cloudcore.kubeconfig'), stringify(kubeconfig));
  const access = await openKubeApi(join(directory, 'cloudcore.kubeconfig'), 'kedge-cloudcore');
  later(() => access.close());
  await assert.rejects(access.api.list(api('daemonsets', 'apps')), (error) => isStatus(error, 'Forbidden'));

  const refused: string[] = [];
  const watched = new Proxy(access.api, {
    get(target, key) {
      const method = Reflect.get(target, key) as (...given: unknown[]) => unknown;
      return (...given: unknown[]) => {
        const result = method.apply(target, given);
        if (result instanceof Promise) {
          result.catch((error: unknown) => isStatus(error, 'Forbidden') && refused.push(String(error)));
        }
        return result;
      };
    },
  });
  const cloud = await startLiveCloud(
    watched,
    join(directory, 'cloud.log'),
    undefined,
    {},
    {
      ...withDevices(directory),
      admission: { address: '127.0.0.1', port: 0, place: { by: 'url', url: 'https://127.0.0.1' } },
    },
  );
  later(() => cloud.stop());
  const metadata = { name: 'd', namespace: 'default' };
  await admin.create(devices, 'default', {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata,
    spec: { deviceModelRef: { name: 'none' }, nodeName: 'e1', properties: [] },
  });
  await eventually('the status of the device', 10_000, async () => {
    const { status: written } = (await admin.get(devices, metadata)) as Device;
    return written?.conditions?.[0]?.reason === 'ModelNotFound' || written;
  });
  assert.deepEqual(refused, []);
});
