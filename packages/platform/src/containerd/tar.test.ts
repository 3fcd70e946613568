// The archives that images are made of are read by the system's tar, and the texts of the configuration are right.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { formatContainerdConfig, formatPodNetwork, pickPodSubnet } from './config.ts';
import { planRuleRemoval } from './port-rules.ts';
import type { ContainerdSite } from './site.ts';
import { encodeTar } from './tar.ts';

describe('a tar archive', () => {
  test('is read by tar', () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(60)}`;
    const archive = encodeTar([
      { type: 'directory', path: 'bin', mode: 0o755 },
      { type: 'file', path: 'bin/app', mode: 0o755, content: Buffer.from('x'.repeat(700)) },
      { type: 'symlink', path: 'bin/sh', target: 'app' },
      { type: 'directory', path: 'tmp', mode: 0o1777 },
      { type: 'file', path: long, mode: 0o600, content: new Uint8Array(0) },
    ]);
    const listed = execFileSync('tar', ['--list', '--verbose', '--numeric-owner'], { input: archive }).toString();
    const lines = listed
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' ').replace(' 1970-01-01 00:00', ''));
    assert.deepEqual(lines, [
      'drwxr-xr-x 0/0 0 bin/',
      '-rwxr-xr-x 0/0 700 bin/app',
      'lrwxrwxrwx 0/0 0 bin/sh -> app',
      'drwxrwxrwt 0/0 0 tmp/',
      `-rw------- 0/0 0 ${long}`,
    ]);
  });

  test('a path that does not fit is refused', () => {
    assert.throws(() => encodeTar([{ type: 'directory', path: 'x'.repeat(300), mode: 0 }]), /too long/);
  });
});

const site: ContainerdSite = {
  directory: '/d',
  id: '0000ffff',
  root: '/d/root',
  state: '/d/state',
  socket: '/d/containerd.sock',
  configFile: '/d/config.toml',
  cniDirectory: '/d/cni',
  registryDirectory: '/d/registries',
  logFile: '/d/containerd.log',
  pidFile: '/d/containerd.pid',
  cgroupRoot: '/kedge-0000ffff',
  bridge: 'kedge0000ffff',
  network: 'kedge-0000ffff',
};
const options = {
  sandboxImage: 'p:1',
  snapshotter: 'overlayfs',
  cniPlugins: '/usr/lib/cni',
} as const;

describe('the configuration', () => {
  test('keeps everything inside the directory', () => {
    const text = formatContainerdConfig(site, options);
    const paths = [...text.matchAll(/"(\/[^"]+)"/g)].map(([, path]) => path);
    assert.deepEqual(
      paths.filter((path) => !path?.startsWith('/d/')),
      ['/usr/lib/cni'],
    );
    assert.match(text, /restrict_oom_score_adj = true/);
  });

  test('of the pod network names its own bridge and keeps its own records', () => {
    const [bridge] = JSON.parse(formatPodNetwork(site, '10.70.1.0/24')).plugins;
    assert.equal(bridge.bridge, 'kedge0000ffff');
    assert.equal(bridge.ipam.dataDir, '/d/state/addresses');
    assert.ok(bridge.bridge.length <= 15, 'an interface name holds 15 bytes');
  });

  test('picks a subnet that nothing on the host is in', () => {
    assert.equal(pickPodSubnet('00000000', []), '10.64.0.0/24');
    assert.equal(pickPodSubnet('00000000', ['10.64.0.1', '10.64.1.9']), '10.64.2.0/24');
    assert.equal(pickPodSubnet('00001fff', ['10.95.255.1']), '10.64.0.0/24');
  });
});

describe('port rules that were left behind', () => {
  const saved = `*nat
:PREROUTING ACCEPT [0:0]
:CNI-0123456789abcdef - [0:0]
:CNI-DN-1111111111111 - [0:0]
:CNI-DN-2222222222222 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -s 10.70.1.2/32 -m comment --comment "name: \\"kedge-0000ffff\\" id: \\"a\\"" -j CNI-0123456789abcdef
-A CNI-0123456789abcdef -d 10.70.1.0/24 -m comment --comment "name: \\"kedge-0000ffff\\" id: \\"a\\"" -j ACCEPT
-A CNI-DN-1111111111111 -p tcp --dport 8080 -j DNAT --to-destination 10.70.1.2:80
-A CNI-DN-2222222222222 -p tcp --dport 8081 -j DNAT --to-destination 10.9.9.9:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"kedge-0000ffff\\" id: \\"a\\"" -j CNI-DN-1111111111111
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"other\\" id: \\"b\\"" -j CNI-DN-2222222222222
COMMIT
`;
  test('are taken out, and nobody else is touched', () => {
    const plan = planRuleRemoval(saved, 'kedge-0000ffff');
    assert.deepEqual(
      plan
        .split('\n')
        .filter((line) => line.startsWith('-'))
        .map((line) => line.split(' -m ')[0]),
      [
        '-D POSTROUTING -s 10.70.1.2/32',
        '-D CNI-HOSTPORT-DNAT -p tcp',
        '-F CNI-0123456789abcdef',
        '-F CNI-DN-1111111111111',
        '-X CNI-0123456789abcdef',
        '-X CNI-DN-1111111111111',
      ],
    );
    assert.ok(!plan.includes('2222'));
  });
  test('nothing is done where there are none', () => assert.equal(planRuleRemoval(saved, 'absent'), ''));
});
