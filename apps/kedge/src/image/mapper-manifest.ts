// What runs a mapper of the image on every node with a label: as KubeEdge recommends it, a DaemonSet beside edgecore's socket.
import { stringify } from 'yaml';

export interface MapperManifestOptions {
  readonly protocol: string;
  readonly image: string;
  readonly namespace: string;
  /** Where edgecore waits for mappers on the node; the mapper's own socket is beside it, at the same path inside and outside. */
  readonly dmiSocket: string;
  /** Of the node, for what has to last: certificates, samples that wait. */
  readonly dataDirectory: string;
  /** Of the REST API on the node; undefined: none. */
  readonly restPort: number | undefined;
}

export const nodeLabelOf = (protocol: string): string => `mapper.kedge.io/${protocol}`;

export function mapperManifest({
  protocol,
  image,
  namespace,
  dmiSocket,
  dataDirectory,
  restPort,
}: MapperManifestOptions): string {
  const name = `${protocol}-mapper`;
  const labels = { 'app.kubernetes.io/name': name };
  const metadata = { name, namespace, labels };
  const socketDirectory = dmiSocket.slice(0, dmiSocket.lastIndexOf('/')) || '/';
  const config = {
    grpc_server: { socket_path: `${socketDirectory === '/' ? '' : socketDirectory}/${name}.sock` },
    common: {
      edgecore_sock: dmiSocket,
      http_port: restPort === undefined ? '' : String(restPort),
      data_dir: dataDirectory,
    },
  };
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'config.yaml': stringify(config) } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            nodeSelector: { [nodeLabelOf(protocol)]: 'true' },
            tolerations: [{ key: 'node-role.kubernetes.io/edge', operator: 'Exists' }],
            // Devices are on the networks of the node.
            hostNetwork: true,
            dnsPolicy: 'Default',
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 10,
            containers: [
              {
                name: 'mapper',
                image,
                imagePullPolicy: 'IfNotPresent',
                args: ['mapper', protocol, '--config-file', '/etc/mapper/config.yaml'],
                resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '192Mi' } },
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
                volumeMounts: [
                  { name: 'config', mountPath: '/etc/mapper', readOnly: true },
                  { name: 'dmi', mountPath: socketDirectory },
                  { name: 'data', mountPath: dataDirectory },
                ],
              },
            ],
            volumes: [
              { name: 'config', configMap: { name } },
              { name: 'dmi', hostPath: { path: socketDirectory, type: 'Directory' } },
              { name: 'data', hostPath: { path: dataDirectory, type: 'DirectoryOrCreate' } },
            ],
          },
        },
      },
    },
  ];
  return objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n');
}
