// What every Keys, and the CertificateAuthorities beside it, must do. openssl has the last word where it is installed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { secret } from '@kedge/core/log';
import type { CertificateAuthorities, IssueOptions, Keys, Subject } from '@kedge/core/ports';
import { withCode } from './expect-error.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const from = Date.UTC(2026, 0, 1);
const to = Date.UTC(2036, 0, 1);
const ca: Subject = { commonName: 'KubeEdge', organizations: ['KubeEdge'] };
const edge: Subject = { commonName: 'system:node:edge-1', organizations: ['system:nodes'] };
const clientUse: IssueOptions = { subject: edge, usages: ['clientAuth'], notBefore: from, notAfter: to };
const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

export function describeKeys(what: string, keys: Keys, authorities: CertificateAuthorities): void {
  const newAuthority = () => authorities.createAuthority({ subject: ca, notBefore: from, notAfter: to });

  describe(`keys: ${what}`, () => {
    test('hashes are the ones of the standards', () => {
      assert.equal(hex(keys.sha256('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
      // RFC 4231, test case 2.
      assert.equal(
        hex(keys.hmacSha256(bytes('Jefe'), 'what do ya want for nothing?')),
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      );
    });

    test('equal compares content and length', () => {
      assert.equal(keys.equal(bytes('abc'), bytes('abc')), true);
      assert.equal(keys.equal(bytes('abc'), bytes('abd')), false);
      assert.equal(keys.equal(bytes('abc'), bytes('ab')), false);
    });

    test('PEM survives the way there and back', () => {
      const data = Uint8Array.from({ length: 200 }, (_, n) => n);
      const pem = keys.toPem('THING', data);
      assert.match(pem, /^-----BEGIN THING-----\n(?:.{64}\n)+.*\n-----END THING-----\n$/);
      assert.deepEqual([...keys.fromPem(pem)], [...data]);
      assert.deepEqual([...keys.fromPem(`explanation\n${pem.replaceAll('\n', '\r\n')}`)], [...data]);
      assert.throws(() => keys.fromPem('nothing of the kind'), withCode('KEYS_BAD_PEM'));
    });

    test('a private key does not show itself', () => {
      const key = keys.createPrivateKey();
      assert.equal(`${key}`, '***');
      assert.match(key.reveal(), /^-----BEGIN EC PRIVATE KEY-----/);
    });

    test('a request says who asks, and is signed with the key', async () => {
      const key = keys.createPrivateKey();
      const request = await authorities.readRequest(keys.createRequest(key, edge));
      assert.deepEqual(request.subject, edge);
      assert.deepEqual([request.dnsNames, request.addresses], [[], []]);
    });

    test('odd characters in names survive', async () => {
      const odd = { commonName: 'Käse, "quoted" = #1', organizations: ['a+b', 'c\\d'] };
      const key = keys.createPrivateKey();
      const request = await authorities.readRequest(keys.createRequest(key, odd));
      assert.deepEqual(request.subject, odd);
      const certificate = await (await newAuthority()).issue(request.publicKey, { ...clientUse, subject: odd });
      const { commonName, organizations } = keys.readCertificate(certificate);
      assert.deepEqual({ commonName, organizations }, odd);
    });

    test('a request that was tampered with is refused', async () => {
      const der = keys.createRequest(keys.createPrivateKey(), edge);
      const at = Buffer.from(der).indexOf('edge-1');
      const forged = Uint8Array.from(der);
      forged[at + 5] = '2'.charCodeAt(0);
      await assert.rejects(authorities.readRequest(forged), withCode('KEYS_BAD_REQUEST'));
    });

    test('rubbish is refused as rubbish', async () => {
      for (const rubbish of [new Uint8Array(), bytes('hello'), Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)]) {
        await assert.rejects(authorities.readRequest(rubbish), withCode('KEYS_BAD_REQUEST'));
        assert.throws(() => keys.readCertificate(rubbish), withCode('KEYS_BAD_CERTIFICATE'));
        await assert.rejects(
          authorities.openAuthority({ certificate: rubbish, key: secret(rubbish) }),
          withCode('KEYS_BAD_CERTIFICATE'),
        );
      }
      assert.throws(() => keys.createRequest(secret('no key'), edge), withCode('KEYS_BAD_KEY'));
    });

    test('a certificate says what was asked for', async () => {
      const issued = await (
        await newAuthority()
      ).issueWithKey({
        subject: { commonName: 'cloud', organizations: [] },
        usages: ['serverAuth'],
        dnsNames: ['localhost', '*.example.org'],
        addresses: ['127.0.0.1', '::1'],
        notBefore: from,
        notAfter: to,
      });
      const { serialNumber, ...rest } = keys.readCertificate(issued.certificatePem);
      assert.deepEqual(rest, {
        commonName: 'cloud',
        organizations: [],
        dnsNames: ['localhost', '*.example.org'],
        addresses: ['127.0.0.1', '::1'],
        usages: ['serverAuth'],
        notBefore: from,
        notAfter: to,
        isCa: false,
      });
      assert.match(serialNumber, /^[0-9A-F]{2,40}$/);
      assert.equal(keys.matches(issued.certificatePem, issued.key), true);
      assert.equal(keys.matches(issued.certificatePem, keys.createPrivateKey()), false);
    });

    test('an authority can be put away and opened again', async () => {
      const first = await newAuthority();
      const second = await authorities.openAuthority({ certificate: first.certificate, key: first.key });
      assert.equal(second.certificatePem, first.certificatePem);
      assert.deepEqual([...second.key.reveal()], [...first.key.reveal()]);
      assert.equal(keys.readCertificate(second.certificatePem).isCa, true);
    });

    test('an authority is not opened with the key of another', async () => {
      const [one, other] = [await newAuthority(), await newAuthority()];
      await assert.rejects(
        authorities.openAuthority({ certificate: one.certificate, key: other.key }),
        withCode('KEYS_BAD_CERTIFICATE'),
      );
    });

    test('openssl trusts what is issued', async (t) => {
      const directory = await temporaryDirectory(t);
      const authority = await newAuthority();
      const reopened = await authorities.openAuthority(authority);
      const request = keys.createRequest(keys.createPrivateKey(), edge);
      const { publicKey } = await authorities.readRequest(request);
      const certificate = await reopened.issue(publicKey, { ...clientUse, dnsNames: ['edge-1'], addresses: ['::1'] });
      const file = (name: string, content: string | Uint8Array) => {
        writeFileSync(join(directory, name), content);
        return join(directory, name);
      };
      const caFile = file('ca.pem', authority.certificatePem);
      const certFile = file('edge.pem', keys.toPem('CERTIFICATE', certificate));
      const requestFile = file('edge.csr', request);
      const keyFile = file('ca.key', authority.key.reveal());
      const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
      const verify = ['verify', '-x509_strict', '-purpose', 'sslclient', '-attime', String(from / 1_000 + 60)];
      assert.match(openssl(...verify, '-CAfile', caFile, certFile), /: OK/);
      openssl('req', '-inform', 'DER', '-in', requestFile, '-noout', '-verify');
      openssl('ec', '-inform', 'DER', '-in', keyFile, '-noout', '-check');
    });
  });
}
