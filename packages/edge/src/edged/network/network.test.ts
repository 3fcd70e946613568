// Resolvers and hosts files of pods.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod, PodSpec } from '@kedge/model/k8s-types';
import { parseResolvConf, podDns } from './dns-config.ts';
import { formatHostsFile, podHostname } from './hosts-file.ts';

const podWith = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { containers: [], ...spec },
});
const host = { servers: ['192.0.2.53'], searches: ['example.com'], options: ['timeout:1'] };
const settings = { clusterDomain: 'cluster.local', clusterDns: ['10.96.0.10'], host };
const cluster = {
  servers: ['10.96.0.10'],
  searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.com'],
  options: ['ndots:5'],
};

describe('the resolver of a pod', () => {
  const cases: [string, Partial<PodSpec>, object][] = [
    ['is the cluster', {}, cluster],
    ['is that of the host when asked for', { dnsPolicy: 'Default' }, host],
    ['is that of the host in its network', { hostNetwork: true }, host],
    ['is the cluster even there when asked for', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, cluster],
    [
      'is what the pod says and nothing else',
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'] } },
      { servers: ['192.0.2.1'], searches: [], options: [] },
    ],
    [
      'takes what the pod adds, and options replace those of the same name',
      {
        dnsConfig: {
          nameservers: ['192.0.2.1', '10.96.0.10'],
          searches: ['example.com', 'more.org'],
          options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
        },
      },
      {
        servers: ['10.96.0.10', '192.0.2.1'],
        searches: [...cluster.searches, 'more.org'],
        options: ['ndots:2', 'edns0'],
      },
    ],
  ];
  for (const [what, spec, expected] of cases) {
    test(what, () =>
      assert.deepEqual(podDns(podWith(spec), settings), { dns: expected, lacksCluster: false, omitted: [] }),
    );
  }
  test('is that of the host where the cluster has none', () => {
    const without = podDns(podWith({}), { ...settings, clusterDns: [] });
    assert.deepEqual(without, { dns: host, lacksCluster: true, omitted: [] });
  });
  test('says what is left out: more than three servers, than 32 searches, than 2048 letters of them', () => {
    const nameservers = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'];
    const asked = (searches: string[], servers: string[] = []) =>
      podDns(podWith({ dnsPolicy: 'None', dnsConfig: { nameservers: servers, searches } }), settings);
    const four = asked([], nameservers);
    assert.deepEqual(four.dns.servers, nameservers.slice(0, 3));
    assert.match(four.omitted[0] ?? '', /^Nameserver limits .* 192\.0\.2\.1 192\.0\.2\.2 192\.0\.2\.3$/);
    const many = asked(Array.from({ length: 33 }, (_, n) => `s${n}.example`));
    assert.deepEqual([many.dns.searches.length, many.omitted.length], [32, 1]);
    const long = asked(Array.from({ length: 12 }, (_, n) => `${n}${'x'.repeat(199)}`));
    assert.deepEqual([long.dns.searches.length, long.omitted.length], [10, 1]);
  });
  test('resolv.conf is read with comments, and the last search counts', () => {
    const text =
      '# a comment\nnameserver 192.0.2.1\nnameserver 192.0.2.2 \nsearch a\nsearch b c\noptions ndots:1 rotate\n';
    const expected = { servers: ['192.0.2.1', '192.0.2.2'], searches: ['b', 'c'], options: ['ndots:1', 'rotate'] };
    assert.deepEqual(parseResolvConf(text), expected);
  });
});

describe('the hosts file of a pod', () => {
  const format = (spec: Partial<PodSpec>) =>
    formatHostsFile(podWith(spec), {
      addresses: ['10.0.0.2'],
      clusterDomain: 'cluster.local',
      hostFile: '127.0.0.1 host\n',
    });
  test('names the pod', () => assert.match(format({}), /^10\.0\.0\.2\tweb$/m));
  test('names the pod below its subdomain too', () => {
    assert.match(
      format({ subdomain: 'db', hostname: 'one' }),
      /^10\.0\.0\.2\tone\.db\.shop\.svc\.cluster\.local\tone$/m,
    );
  });
  test('keeps the short name where the host name is the full one', () => {
    assert.match(
      format({ subdomain: 'db', hostname: 'one', setHostnameAsFQDN: true }),
      /^10\.0\.0\.2\tone\.db\.shop\.svc\.cluster\.local\tone$/m,
    );
  });
  test('is that of the host in its network, with the aliases of the pod', () => {
    const text = format({ hostNetwork: true, hostAliases: [{ ip: '192.0.2.9', hostnames: ['a', 'b'] }] });
    assert.match(text, /^127\.0\.0\.1 host$/m);
    assert.match(text, /^192\.0\.2\.9\ta\tb$/m);
    assert.doesNotMatch(text, /10\.0\.0\.2/);
  });
  test('a long name is cut where a name may end', () => {
    const name = `${'a'.repeat(62)}-tail`;
    const { hostname } = podHostname({ ...podWith({}), metadata: { name } }, 'cluster.local');
    assert.equal(hostname, 'a'.repeat(62));
  });
});
