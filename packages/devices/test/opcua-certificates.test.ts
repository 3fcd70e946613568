// The mapper's own certificate, on its first start.
import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { ownIdentity } from '../src/mapper-opcua/certificates.ts';

const now = Date.now();

test('devices that are opened at once share one certificate, and so do those that come later', async (t) => {
  const directory = await temporaryDirectory(t);
  const all = await Promise.all([1, 2, 3].map(() => ownIdentity(directory, now)));
  const later = await ownIdentity(directory, now);
  assert.deepEqual(
    all.map(({ certificate }) => certificate.fingerprint256),
    all.map(() => later.certificate.fingerprint256),
  );
  assert.deepEqual(await readdir(directory), ['own']);
});

test('half of one, or one whose time is over, is made anew', async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await ownIdentity(directory, now);
  await rm(join(directory, 'own', 'certificate.pem'));
  const second = await ownIdentity(directory, now);
  assert.notEqual(second.key, first.key);
  const third = await ownIdentity(directory, second.certificate.validToDate.getTime() + 1);
  assert.notEqual(third.key, second.key);
});
