// cloudcore.yaml and edgecore.yaml as users have them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { configErrors, defaultsOf, type Schema } from '@kedge/core/config';
import {
  cloudCoreDefaults,
  cloudCoreSchema,
  edgeCoreDefaults,
  edgeCoreSchema,
  readCloudCoreConfig,
  readEdgeCoreConfig,
  writeCloudCoreDefaults,
  writeCloudCoreMinimum,
  writeEdgeCoreDefaults,
  writeEdgeCoreMinimum,
} from '@kedge/model/componentconfig';
import { days, hours, minutes, seconds } from '@kedge/core/time';

const facts = { hostname: 'Edge-7', addresses: ['192.0.2.2', '2001:db8::2'] };
const cloud = (yaml: string) => readCloudCoreConfig({ file: { path: 'cloudcore.yaml', content: parse(yaml) } }, facts);
const edge = (yaml: string) => readEdgeCoreConfig({ file: { path: 'edgecore.yaml', content: parse(yaml) } }, facts);
const refused = (say: RegExp) => (error: unknown) =>
  configErrors.INVALID.is(error) && say.test((error as Error).message);

describe('cloudcore.yaml', () => {
  test('left empty is a cloud for this machine, with node authorization on', () => {
    const { config, warnings } = cloud('');
    assert.deepEqual(warnings, []);
    assert.deepEqual(config.hub, {
      address: '0.0.0.0',
      port: 10_000,
      nodeLimit: 500,
      keepalive: seconds(30),
      writeTimeout: seconds(30),
      authorization: 'on',
      ownAddress: '192.0.2.2',
    });
    assert.deepEqual(config.https, { address: '0.0.0.0', port: 10_002 });
    assert.deepEqual(config.monitor, { address: '127.0.0.1', port: 9_091 });
    assert.deepEqual(config.identity.dnsNames, []);
    assert.equal(config.identity.edgeCertificateLifetime, days(365));
    assert.equal(config.identity.tokenRefresh, hours(12));
    assert.deepEqual(config.kubeApi, { kubeconfig: undefined, server: undefined });
    assert.deepEqual(config.modules, { cloudHub: true, edgeController: true, syncController: true });
  });

  test('of a KubeEdge installation is taken as it is', () => {
    const { config, warnings } = cloud(`
      apiVersion: cloudcore.config.kubeedge.io/v1alpha1
      kind: CloudCore
      commonConfig: { tunnelPort: 10350 }
      kubeAPIConfig: { kubeConfig: /root/.kube/config, master: "", qps: 5000, burst: 10000, contentType: application/json }
      modules:
        cloudHub:
          advertiseAddress: [203.0.113.5]
          dnsNames: [cloud.example.org]
          nodeLimit: 1000
          tlsCAFile: /etc/kubeedge/ca/rootCA.crt
          unixsocket: { enable: true, address: "unix:///var/lib/kubeedge/kubeedge.sock" }
          websocket: { enable: true, port: 10000, address: 0.0.0.0 }
          quic: { enable: false, port: 10001, maxIncomingStreams: 10000, address: 0.0.0.0 }
          https: { enable: true, port: 10002, address: 0.0.0.0 }
          authorization: { enable: false, debug: true, modes: [{ node: { enable: true } }] }
        edgeController: { buffer: { patchPod: 2048 }, load: { UpdateRuleStatusWorkers: 4 } }
        cloudStream: { enable: true, streamPort: 10003, tunnelPort: 10004 }
        iptablesManager: { enable: true, mode: external }
      featureGates: { requireAuthorization: true }
    `);
    assert.equal(config.hub.nodeLimit, 1_000);
    assert.equal(config.hub.authorization, 'off');
    assert.equal(config.kubeApi.kubeconfig, '/root/.kube/config');
    assert.deepEqual(config.identity.advertiseAddress, ['203.0.113.5']);
    assert.deepEqual(warnings, [
      'cloudcore.yaml: has no effect here: kubeAPIConfig.qps, kubeAPIConfig.burst, kubeAPIConfig.contentType, ' +
        'modules.edgeController.buffer.patchPod, modules.cloudStream.enable, modules.iptablesManager.mode, featureGates',
    ]);
  });

  const authorization: readonly (readonly [string, string])[] = [
    ['{}', 'on'],
    ['{ enable: true }', 'on'],
    ['{ enable: false }', 'off'],
    ['{ enable: false, debug: true }', 'off'],
    ['{ debug: true }', 'log'],
    ['{ modes: [] }', 'off'],
    ['{ modes: [{ node: { enable: false } }] }', 'off'],
  ];
  for (const [given, expected] of authorization) {
    test(`authorization ${given} is ${expected}`, () => {
      assert.equal(cloud(`modules: { cloudHub: { authorization: ${given} } }`).config.hub.authorization, expected);
    });
  }

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['kind: EdgeCore', /kind is "EdgeCore", needs one of "CloudCore"/],
    ['modules: { cloudHub: { websocket: { port: 70000 } } }', /websocket\.port is 70000, needs to be at most 65535/],
    ['modules: { cloudHub: { websocket: { enable: false } } }', /websocket\.enable is false, needs to be true/],
    ['modules: { cloudHub: { websocket: { port: 10002 } } }', /https\.port is 10002, which is that of websocket too/],
    ['modules: { cloudHub: { advertiseAddress: [] } }', /advertiseAddress is empty/],
    ['modules: { cloudHub: { tokenRefreshDuration: 0 } }', /tokenRefreshDuration is 0, needs to be at least 1/],
    ['modules: { cloudHub: { dnsNames: ["not a name"] } }', /dnsNames\.0 is "not a name", needs a DNS name/],
    ['modules: { cloudHub: { nodelimits: 5 } }', /nodelimits is not a known key; did you mean "nodeLimit"\?/],
    ['kubeAPIConfig: { kubeConfig: ./config }', /kubeConfig is ".\/config", needs an absolute path/],
    ['commonConfig: { monitorServer: { bindAddress: "9091" } }', /bindAddress is "9091", needs an address/],
    ['modules: { iptablesManager: { mode: both } }', /mode is "both", needs one of "internal", "external"/],
  ];
  for (const [yaml, say] of wrong) test(`${yaml} is refused`, () => assert.throws(() => cloud(yaml), refused(say)));

  test('with the hub switched off is not held to what a hub needs', () => {
    const { config } = cloud('modules: { cloudHub: { enable: false, websocket: { enable: false } } }');
    assert.equal(config.modules.cloudHub, false);
  });

  test('with https switched off lets no new node in', () => {
    assert.equal(cloud('modules: { cloudHub: { https: { enable: false } } }').config.https, undefined);
  });
});

describe('edgecore.yaml', () => {
  test('left empty is an edge named after its host, of a cloud on the same machine', () => {
    const { config, warnings } = edge('');
    assert.deepEqual(warnings, []);
    assert.equal(config.node, 'edge-7');
    assert.equal(config.identity.httpServer, 'https://192.0.2.2:10002');
    assert.equal(config.identity.token, undefined);
    assert.equal(config.hub.server, '192.0.2.2:10000');
    assert.equal(config.hub.heartbeat, seconds(15));
    assert.equal(config.edged.site, 'edge-7');
    assert.equal(config.edged.runtimeSocket, '/run/containerd/containerd.sock');
    assert.equal(config.edged.cgroupRoot, '/kubepods');
    assert.equal(config.edged.statusReportEvery, minutes(5));
    assert.equal(config.edged.leaseDuration, seconds(40));
  });

  test('of a host with IPv6 alone has brackets where they belong', () => {
    const { config } = readEdgeCoreConfig({}, { hostname: 'edge', addresses: ['2001:db8::2'] });
    assert.equal(config.hub.server, '[2001:db8::2]:10000');
    assert.equal(config.identity.httpServer, 'https://[2001:db8::2]:10002');
  });

  test('of a KubeEdge installation is taken as it is', () => {
    const { config, warnings } = edge(`
      apiVersion: edgecore.config.kubeedge.io/v1alpha2
      kind: EdgeCore
      edgecoreVersion: v1.22.2
      database: { aliasName: default, dataSource: /var/lib/kubeedge/edgecore.db, driverName: sqlite3 }
      modules:
        dbTest: { enable: false }
        deviceTwin: { enable: true }
        edgeHub:
          enable: true
          heartbeat: 15
          httpServer: https://203.0.113.5:10002
          token: "aabb.eyJhbGciOi"
          websocket: { enable: true, handshakeTimeout: 30, readDeadline: 15, server: "203.0.113.5:10000", writeDeadline: 15 }
          quic: { enable: false, server: "203.0.113.5:10001" }
        edged:
          hostnameOverride: edge-1
          nodeLabels: { node-role.kubernetes.io/edge: "" }
          podSandboxImage: kubeedge/pause:3.6
          tailoredKubeletConfig:
            cgroupDriver: systemd
            clusterDNS: [169.254.96.16]
            containerRuntimeEndpoint: unix:///run/crio/crio.sock
            imageServiceEndpoint: unix:///run/containerd/containerd.sock
            evictionHard: { memory.available: 50Mi }
            nodeStatusUpdateFrequency: 1m
            registerWithTaints: [{ key: edge, effect: NoExecute }]
            serializeImagePulls: false
            logging: { flushFrequency: 5s, options: { json: { infoBufferSize: "0" } } }
        eventBus: { enable: true, mqttMode: 2, mqttServerExternal: "tcp://127.0.0.1:1883" }
        metaManager: { metaServer: { apiAudiences: null, serviceAccountKeyFiles: null } }
    `);
    assert.equal(config.identity.token?.reveal(), 'aabb.eyJhbGciOi');
    assert.deepEqual(config.edged.nodeLabels, { 'node-role.kubernetes.io/edge': '' });
    assert.deepEqual(config.edged.nodeTaints, [{ key: 'edge', effect: 'NoExecute' }]);
    assert.deepEqual(config.edged.clusterDns, ['169.254.96.16']);
    assert.equal(config.edged.runtimeSocket, '/run/crio/crio.sock');
    assert.equal(config.edged.imageSocket, '/run/containerd/containerd.sock');
    assert.equal(config.edged.statusUpdateEvery, minutes(1));
    assert.ok(config.edged.imagePullParallel > 1);
    assert.deepEqual(warnings, ['edgecore.yaml: has no effect here: edgecoreVersion']);
  });

  test('does not show its token', () => {
    assert.doesNotMatch(JSON.stringify(edge('modules: { edgeHub: { token: swordfish } }').config), /swordfish/);
  });

  test('keeps an hour of history, and answers questions beside its mappers', () => {
    assert.deepEqual(edge('modules: { deviceTwin: { dmiSockPath: /run/edge/dmi.sock } }').config.devices, {
      dmiSocket: '/run/edge/dmi.sock',
      apiSocket: '/run/edge/device.sock',
      history: { maxAge: hours(1), perProperty: 3_600, total: 200_000 },
    });
    const { config } = edge('modules: { deviceTwin: { apiSockPath: /run/x, history: { enable: false } } }');
    assert.deepEqual([config.devices?.apiSocket, config.devices?.history], ['/run/x', undefined]);
  });

  test('has nothing to do with a broker unless it is told to', () => {
    assert.equal(edge('{}').config.eventBus, undefined);
    const { config, warnings } = edge('modules: { eventBus: { enable: true } }');
    assert.deepEqual(config.eventBus, {
      node: config.node,
      broker: {
        url: 'tcp://127.0.0.1:1883',
        clientId: `kedge-${config.node}`,
        credentials: undefined,
        tls: undefined,
      },
      inside: undefined,
    });
    assert.deepEqual(warnings, []);
  });

  test('knows how to log in to a broker, and does not show it', () => {
    const { config } = edge(`
      modules:
        eventBus:
          enable: true
          mqttServerExternal: ssl://broker:8883
          mqttSubClientID: me
          mqttUsername: edge
          mqttPassword: swordfish
          eventBusTLS: { enable: true, tlsMqttCAFile: /ca, tlsMqttCertFile: /crt, tlsMqttPrivateKeyFile: /key }
    `);
    const { url, clientId, credentials, tls } = config.eventBus!.broker!;
    assert.deepEqual([url, clientId, credentials?.username], ['ssl://broker:8883', 'me', 'edge']);
    assert.equal(credentials?.password.reveal(), 'swordfish');
    assert.deepEqual(tls, { ca: '/ca', certificate: '/crt', key: '/key' });
    assert.doesNotMatch(JSON.stringify(config), /swordfish/);
  });

  test('has a broker inside where it is told to, on loopback and with bounds', () => {
    const { config, warnings } = edge('modules: { eventBus: { enable: true, mqttMode: 0, mqttSessionQueueSize: 7 } }');
    const { broker, inside } = config.eventBus!;
    assert.equal(broker, undefined);
    assert.deepEqual(
      [inside?.address, inside?.port, inside?.credentials, inside?.tls],
      ['127.0.0.1', 1_884, undefined, undefined],
    );
    assert.equal(inside?.limits.queuedPerSession, 7);
    assert.deepEqual(warnings, []);
  });

  test('opens the broker inside to the network with TLS, a user and certificates of clients', () => {
    const { config, warnings } = edge(`
      modules:
        eventBus:
          enable: true
          mqttMode: 1
          mqttServerInternal: ssl://[::]:8883
          internalBroker: { username: app, password: swordfish, tlsClientCAFile: /ca, maxClients: 5 }
    `);
    const { broker, inside } = config.eventBus!;
    assert.equal(broker?.url, 'tcp://127.0.0.1:1883');
    assert.deepEqual([inside?.address, inside?.port, inside?.limits.clients], ['::', 8_883, 5]);
    assert.equal(inside?.credentials?.password.reveal(), 'swordfish');
    const { certificate, key, clientCa } = inside!.tls!;
    assert.deepEqual(
      [certificate, key, clientCa],
      ['/etc/kubeedge/certs/server.crt', '/etc/kubeedge/certs/server.key', '/ca'],
    );
    assert.doesNotMatch(JSON.stringify(config), /swordfish/);
    assert.deepEqual(warnings, []);
  });

  const shutdowns: readonly (readonly [string, (readonly [priority: number, ms: number])[] | undefined])[] = [
    ['', undefined],
    [
      'shutdownGracePeriod: 30s, shutdownGracePeriodCriticalPods: 10s',
      [
        [0, 20_000],
        [2_000_000_000, 10_000],
      ],
    ],
    [
      'shutdownGracePeriodByPodPriority: [{ priority: 9, shutdownGracePeriodSeconds: 5 }, { shutdownGracePeriodSeconds: 7 }]',
      [
        [0, 7_000],
        [9, 5_000],
      ],
    ],
    ['shutdownGracePeriodByPodPriority: [{ priority: 9 }]', undefined],
  ];
  for (const [yaml, groups] of shutdowns) {
    test(`pods of a machine that goes down: ${yaml || 'nothing said'}`, () => {
      const { config, warnings } = edge(`modules: { edged: { tailoredKubeletConfig: { ${yaml} } } }`);
      const { shutdown } = config.edged;
      assert.deepEqual(
        shutdown?.groups.map(({ priority, period }) => [priority, period]),
        groups,
      );
      assert.deepEqual(warnings, []);
    });
  }

  const brokerless: readonly (readonly [string, RegExp, boolean])[] = [
    ['eventBus: { enable: true, mqttMode: 1, mqttServerExternal: "" }', /empty: only the broker inside is used/, true],
    [
      'eventBus: { enable: true, mqttMode: 0, mqttServerInternal: "tcp://0.0.0.0:1", internalBroker: { username: u, password: p } }',
      /mqttServerInternal is tcp:\/\/ beyond loopback/,
      true,
    ],
    ['eventBus: { enable: true, mqttServerExternal: "" }', /mqttServerExternal is empty/, false],
    ['eventBus: { enable: true }, deviceTwin: { enable: false }', /modules.deviceTwin is off/, false],
  ];
  for (const [yaml, say, isOn] of brokerless) {
    test(`${yaml} warns`, () => {
      const { config, warnings } = edge(`modules: { ${yaml} }`);
      assert.equal(config.eventBus !== undefined, isOn);
      assert.match(warnings.join(), say);
    });
  }

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['modules: { eventBus: { enable: true, mqttServerExternal: "http://x" } }', /needs the URL of an MQTT broker/],
    ['apiVersion: edgecore.config.kubeedge.io/v1alpha1', /apiVersion is .*v1alpha1", needs one of .*v1alpha2"/],
    ['modules: { edgeHub: { websocket: { enable: false }, quic: { enable: true } } }', /there is no QUIC here/],
    ['modules: { edgeHub: { websocket: { server: cloud } } }', /server is "cloud", needs an address/],
    ['modules: { edgeHub: { httpServer: "203.0.113.5:10002" } }', /httpServer is .*, needs a URL/],
    ['modules: { edged: { hostnameOverride: Edge_1 } }', /hostnameOverride is "Edge_1", needs a node name/],
    ['modules: { edged: { nodeIP: eth0 } }', /nodeIP is "eth0", needs an IP address/],
    ['modules: { edged: { tailoredKubeletConfig: { cgroupDriver: none } } }', /needs one of "cgroupfs", "systemd"/],
    ['modules: { edged: { tailoredKubeletConfig: { syncFrequency: 60 } } }', /syncFrequency is 60, needs a text/],
    ['modules: { edged: { tailoredKubeletConfig: { nodeStatusUpdateFrequency: 0s } } }', /longer than nothing/],
    ['modules: { edged: { tailoredKubeletConfig: { imageServiceEndpoint: tcp } } }', /needs a socket/],
    ['modules: { edged: { tailoredKubeletConfig: { shutdownGracePeriod: 20ms } } }', /needs 0s or at least 1s/],
    ['modules: { edged: { tailoredKubeletConfig: { shutdownGracePeriodCriticalPods: 9s } } }', /needs to be at most/],
    [
      'modules: { edged: { tailoredKubeletConfig: { shutdownGracePeriod: 9s, shutdownGracePeriodByPodPriority: [{}] } } }',
      /needs to be the only one/,
    ],
    [
      'modules: { edged: { tailoredKubeletConfig: { shutdownGracePeriodByPodPriority: [{}, {}] } } }',
      /names a priority twice/,
    ],
    [
      'modules: { edged: { tailoredKubeletConfig: { registerWithTaints: [{ effect: NoExecute }] } } }',
      /0\.key is missing/,
    ],
    [
      'modules: { eventBus: { enable: true, mqttMode: 0, mqttServerInternal: "tcp://0.0.0.0:1884" } }',
      /internalBroker.username is empty, needs a name: the network reaches tcp:\/\/0.0.0.0:1884/,
    ],
    ['modules: { eventBus: { enable: true, mqttMode: 1, mqttServerInternal: "1884" } }', /needs an address and a port/],
    ['modules: { eventBus: { enable: true, mqttMode: 0, internalBroker: { username: u } } }', /password is empty/],
    ['modules: { deviceTwin: { apiSockPath: x } }', /apiSockPath is "x", needs an absolute path/],
    ['modules: { deviceTwin: { history: { maxAge: 0s } } }', /longer than nothing; history.enable turns it off/],
    ['modules: { eventBus: { mqttMode: 3 } }', /mqttMode is 3, needs one of 0, 1, 2/],
    ['modules: { edged: { rootDirectry: /x } }', /did you mean "rootDirectory"\?/],
  ];
  for (const [yaml, say] of wrong) test(`${yaml} is refused`, () => assert.throws(() => edge(yaml), refused(say)));
});

/** Every key of a schema, each with a value: its default, or one that fits. */
function everything(schema: Schema): unknown {
  if (schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([key, inner]) => [key, everything(inner)]));
  }
  const value = defaultsOf(schema);
  return value === undefined ? { boolean: false, integer: 1, string: '1s' }[schema.type as 'string'] : value;
}

describe('documents', () => {
  for (const [what, yaml, read, all] of [
    ['cloudcore --defaultconfig', writeCloudCoreDefaults(facts), cloud, cloudCoreDefaults(facts)],
    ['cloudcore --minconfig', writeCloudCoreMinimum(facts), cloud, cloudCoreDefaults(facts)],
    ['edgecore --defaultconfig', writeEdgeCoreDefaults(facts), edge, edgeCoreDefaults(facts)],
    ['edgecore --minconfig', writeEdgeCoreMinimum(facts), edge, edgeCoreDefaults(facts)],
  ] as const) {
    test(`${what} means what no file means, and every value in it is the default`, () => {
      const { config, warnings } = read(yaml);
      assert.deepEqual(warnings, []);
      assert.equal(JSON.stringify(config), JSON.stringify(read('').config));
      const within = (part: unknown, whole: unknown, path: string): void => {
        if (typeof part !== 'object' || part === null || Array.isArray(part))
          return assert.deepEqual(part, whole, path);
        for (const [key, value] of Object.entries(part))
          within(value, (whole as Record<string, unknown>)[key], `${path}.${key}`);
      };
      within(parse(yaml), all, '');
    });
  }

  test('every key that is known is taken', () => {
    const content = everything(edgeCoreSchema) as ReturnType<typeof edgeCoreDefaults>;
    const { edgeHub, edged } = edgeCoreDefaults(facts).modules;
    const modules = {
      ...content.modules,
      edgeHub,
      edged: { ...content.modules.edged, hostnameOverride: edged.hostnameOverride },
    };
    readEdgeCoreConfig({ file: { path: 'x', content: { ...content, modules } } }, facts);
    const cloudContent = { ...(everything(cloudCoreSchema) as object), modules: cloudCoreDefaults(facts).modules };
    readCloudCoreConfig({ file: { path: 'x', content: cloudContent } }, facts);
  });
});
