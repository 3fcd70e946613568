// Image references, and the credentials that fit them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseImage } from './image-reference.ts';
import { credentialsFor } from './pull-secrets.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('an image reference', () => {
  const cases: [string, string, string, string, boolean][] = [
    ['busybox', 'busybox:latest', 'docker.io', 'busybox', true],
    ['busybox:1.35', 'busybox:1.35', 'docker.io', 'busybox', false],
    ['busybox:latest', 'busybox:latest', 'docker.io', 'busybox', true],
    ['me/app', 'me/app:latest', 'docker.io', 'me/app', true],
    ['localhost:5000/a/b:c', 'localhost:5000/a/b:c', 'localhost:5000', 'a/b', false],
    ['reg.example.com/app', 'reg.example.com/app:latest', 'reg.example.com', 'app', true],
    [`app@${digest}`, `app@${digest}`, 'docker.io', 'app', false],
    [`app:1@${digest}`, `app:1@${digest}`, 'docker.io', 'app', false],
  ];
  for (const [text, name, registry, repository, isLatest] of cases) {
    test(text.slice(0, 40), () => assert.deepEqual(parseImage(text), { name, registry, repository, isLatest }));
  }
  for (const text of ['', 'Upper/Case', 'a b', 'app:', ':1', 'app@sha256:zz', `a${'b'.repeat(600)}`]) {
    test(`"${text.slice(0, 20)}" is none`, () => assert.equal(parseImage(text), undefined));
  }
});

describe('pull secrets', () => {
  const secret = (auths: Record<string, unknown>) => ({
    metadata: { name: 's' },
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  });
  const auth = Buffer.from('me:secret:with:colons').toString('base64');

  test('a host fits all its images, a path only those below it, the longest first', () => {
    const secrets = [
      secret({ 'reg.example.com': { username: 'a', password: '1' }, 'https://reg.example.com/team': { auth } }),
    ];
    const users = (image: string) => credentialsFor(parseImage(image)!, secrets).map(({ username }) => username);
    assert.deepEqual(users('reg.example.com/team/app'), ['me', 'a']);
    assert.deepEqual(users('reg.example.com/teamwork/app'), ['a']);
    assert.deepEqual(users('other.example.com/app'), []);
  });

  test('a password may hold colons', () => {
    const [found] = credentialsFor(parseImage('reg.example.com/app')!, [secret({ 'reg.example.com': { auth } })]);
    assert.equal(found?.password, 'secret:with:colons');
  });

  test('the old name of the default registry and stars in hosts are understood', () => {
    const secrets = [
      secret({ 'https://index.docker.io/v1/': { username: 'hub' }, '*.example.com': { username: 'star' } }),
    ];
    assert.equal(credentialsFor(parseImage('app')!, secrets)[0]?.username, 'hub');
    assert.equal(credentialsFor(parseImage('reg.example.com/app')!, secrets)[0]?.username, 'star');
    assert.deepEqual(credentialsFor(parseImage('a.b.example.com/app')!, secrets), []);
  });

  test('a malformed secret counts as empty', () => {
    const broken = { metadata: { name: 's' }, data: { '.dockerconfigjson': 'bm9uc2Vuc2U=' } };
    assert.deepEqual(credentialsFor(parseImage('app')!, [broken]), []);
  });
});
