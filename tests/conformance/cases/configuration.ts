// What a pod is told: ConfigMaps, Secrets, the downward API, services, host names.
// After the groups "ConfigMap", "Secrets", "Downward API", "Pods" and "KubeletManagedEtcHosts".
import assert from 'node:assert/strict';
import { type Case, containerOf, forever, once, otherBusybox, shell } from '../node-under-test.ts';

const lines = (text: string): string[] => text.trim().split('\n');

export const configurationCases: readonly Case[] = [
  {
    name: 'keys of ConfigMaps and Secrets are environment variables, one by one',
    async run(node) {
      const map = await node.create('ConfigMap', { data: { 'data-1': 'value-1' } });
      const secret = await node.create('Secret', { stringData: { 'data-1': 'value-2' } });
      const pod = await node.pod(
        once('echo $ONE $TWO "[$NONE]"', {
          env: [
            { name: 'ONE', valueFrom: { configMapKeyRef: { name: map, key: 'data-1' } } },
            { name: 'TWO', valueFrom: { secretKeyRef: { name: secret, key: 'data-1' } } },
            { name: 'NONE', valueFrom: { secretKeyRef: { name: 'absent', key: 'x', optional: true } } },
          ],
        }),
      );
      await pod.ended();
      assert.equal(await pod.log(), 'value-1 value-2 []\n');
    },
  },
  {
    name: 'whole ConfigMaps and Secrets are environment variables, with a prefix',
    async run(node) {
      const map = await node.create('ConfigMap', { data: { a: '1', b: '2' } });
      const secret = await node.create('Secret', { stringData: { c: '3' } });
      const pod = await node.pod(
        once('echo $a $b $p_a $p_b $s_c', {
          envFrom: [
            { configMapRef: { name: map } },
            { prefix: 'p_', configMapRef: { name: map } },
            { prefix: 's_', secretRef: { name: secret } },
          ],
        }),
      );
      await pod.ended();
      assert.equal(await pod.log(), '1 2 1 2 3\n');
    },
  },
  {
    name: 'a container whose ConfigMap or key is missing waits with CreateContainerConfigError, and starts when it is there',
    async run(node) {
      const map = node.uniqueName('later');
      const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: map, key: 'x' } } }];
      const pod = await node.pod(once('echo $X', { env }));
      await pod.until(
        'CreateContainerConfigError',
        (now) => containerOf(now).state?.waiting?.reason === 'CreateContainerConfigError',
      );
      await node.create('ConfigMap', { data: { x: 'here' } }, map);
      assert.equal(
        (await pod.until('its end', (now) => now.status?.phase === 'Succeeded' && now, 120_000)).status!.phase,
        'Succeeded',
      );
      assert.equal(await pod.log(), 'here\n');
    },
  },
  {
    name: 'a pod learns its name, namespace, UID, addresses, node and account from the downward API',
    async run(node) {
      const fields = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'status.podIP', 'status.hostIP'];
      const more = [
        'spec.nodeName',
        'spec.serviceAccountName',
        "metadata.labels['color']",
        "metadata.annotations['note']",
      ];
      const env = [...fields, ...more].map((fieldPath, n) => ({
        name: `V${n}`,
        valueFrom: { fieldRef: { fieldPath } },
      }));
      const pod = await node.pod(once(env.map(({ name }) => `echo $${name}`).join(';'), { env }), {
        labels: { color: 'blue' },
        annotations: { note: 'hello' },
      });
      const { metadata, status } = await pod.ended();
      const seen = lines(await pod.log());
      assert.deepEqual(
        [seen[0], seen[1], seen[2], seen[4], ...seen.slice(5)],
        [pod.name, 'default', metadata!.uid, status!.hostIP, node.name, 'default', 'blue', 'hello'],
      );
      assert.match(seen[3]!, /^[0-9.]+$/);
    },
  },
  {
    name: 'a container learns its limits and requests, in units of its choice',
    async run(node) {
      const env = [
        ['limits.cpu', '1'],
        ['limits.memory', '1Mi'],
        ['requests.cpu', '1m'],
        ['requests.memory', '1'],
      ].map(([resource, divisor], n) => ({
        name: `V${n}`,
        valueFrom: { resourceFieldRef: { resource: resource!, divisor: divisor! } },
      }));
      const pod = await node.pod(
        once('echo $V0 $V1 $V2 $V3', {
          env,
          resources: { limits: { cpu: '1250m', memory: '64Mi' }, requests: { cpu: '10m', memory: '32Mi' } },
        }),
      );
      await pod.ended();
      assert.equal(await pod.log(), `2 64 10 ${32 << 20}\n`);
    },
  },
  {
    name: 'a container without limits learns what the node has as its limits',
    async run(node) {
      const env = [{ name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }];
      const pod = await node.pod(once('echo $CPU', { env }));
      await pod.ended();
      const { status } = await node.get<{ status: { allocatable: { cpu: string } } }>('Node', node.name);
      const cpu = status.allocatable.cpu;
      const whole = cpu.endsWith('m') ? Math.ceil(Number(cpu.slice(0, -1)) / 1_000) : Number(cpu);
      assert.equal(Number(await pod.log()), whole);
    },
  },
  {
    name: 'a pod learns of the services that were there before it, by its environment',
    async run(node) {
      const service = await node.create('Service', { spec: { ports: [{ port: 8765 }], selector: { no: 'pod' } } });
      const { spec } = await node.get<{ spec: { clusterIP: string } }>('Service', service);
      const prefix = service.toUpperCase().replaceAll('-', '_');
      const pod = await node.pod(once(`env | grep ^${prefix}_ | sort`, {}, { enableServiceLinks: true }));
      await pod.ended();
      const seen = await pod.log();
      assert.deepEqual(lines(seen), [
        `${prefix}_PORT=tcp://${spec.clusterIP}:8765`,
        `${prefix}_PORT_8765_TCP=tcp://${spec.clusterIP}:8765`,
        `${prefix}_PORT_8765_TCP_ADDR=${spec.clusterIP}`,
        `${prefix}_PORT_8765_TCP_PORT=8765`,
        `${prefix}_PORT_8765_TCP_PROTO=tcp`,
        `${prefix}_SERVICE_HOST=${spec.clusterIP}`,
        `${prefix}_SERVICE_PORT=8765`,
      ]);
    },
  },
  {
    name: 'a pod has its host name, its subdomain and its aliases in its hosts file',
    async run(node) {
      const pod = await node.pod(
        once(
          'hostname; cat /etc/hosts',
          {},
          {
            hostname: 'myhost',
            subdomain: 'mydomain',
            hostAliases: [{ ip: '123.45.67.89', hostnames: ['foo', 'bar'] }],
          },
        ),
      );
      await pod.ended();
      const seen = await pod.log();
      assert.equal(lines(seen)[0], 'myhost');
      assert.match(seen, /^[0-9.]+\tmyhost\.mydomain\.default\.svc\.[a-z.]+\tmyhost$/m);
      assert.match(seen, /^123\.45\.67\.89\tfoo\tbar$/m);
      assert.match(seen, /^# Kubernetes-managed hosts file\.$/m);
    },
  },
  {
    name: "a pod in the host's network has the host's hosts file, and a container that mounts its own keeps that",
    async run(node) {
      const [inHost, own] = await Promise.all([
        node.pod(once('cat /etc/hosts', {}, { hostNetwork: true })),
        node.pod({
          ...once('cat /etc/hosts', { volumeMounts: [{ name: 'hosts', mountPath: '/etc/hosts' }] }),
          volumes: [{ name: 'hosts', hostPath: { path: '/etc/hosts', type: 'File' } }],
        }),
      ]);
      await Promise.all([inHost.ended(), own.ended()]);
      assert.match(await inHost.log(), /^# Kubernetes-managed hosts file \(host network\)/);
      assert.doesNotMatch(await own.log(), /Kubernetes-managed/);
    },
  },
  {
    name: 'DNS settings are what the pod says, with the policy None',
    async run(node) {
      const pod = await node.pod(
        once(
          'cat /etc/resolv.conf',
          {},
          {
            dnsPolicy: 'None',
            dnsConfig: {
              nameservers: ['1.1.1.1'],
              searches: ['resolv.conf.local'],
              options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
            },
          },
        ),
      );
      await pod.ended();
      assert.deepEqual(lines(await pod.log()), [
        'search resolv.conf.local',
        'nameserver 1.1.1.1',
        'options ndots:2 edns0',
      ]);
    },
  },
  {
    name: 'containers of a pod share its network, and its processes where it says so',
    async run(node) {
      const pod = await node.pod({
        restartPolicy: 'Never',
        shareProcessNamespace: true,
        containers: [
          shell('mkdir /www; echo shared > /www/x; httpd -f -p 8080 -h /www & trap "exit 0" TERM; wait', {
            name: 'server',
          }),
          shell(
            'until printf "GET /x HTTP/1.0\\r\\n\\r\\n" | nc -w 5 127.0.0.1 8080; do sleep 1; done; pkill -TERM httpd; ps | grep -c httpd',
          ),
        ],
      });
      await pod.until('its client to end', (now) => containerOf(now).state?.terminated);
      assert.match(await pod.log(), /^shared$/m);
      await pod.delete(0);
    },
  },
  {
    name: 'a pod that changes its image is restarted with it, and one that changes its labels is not',
    async run(node) {
      const pod = await node.pod({ containers: [shell(forever)] });
      const { containerID } = containerOf(await pod.ready());
      await pod.patch({ metadata: { labels: { changed: 'yes' } } });
      await pod.until('its label', (now) => now.metadata?.labels?.['changed'] === 'yes');
      assert.equal(containerOf(await pod.get()).containerID, containerID);
      await pod.patch({ spec: { containers: [{ name: 'main', image: otherBusybox }] } });
      await pod.until('a new container', (now) => containerOf(now).containerID !== containerID);
      await pod.delete(0);
    },
  },
];
