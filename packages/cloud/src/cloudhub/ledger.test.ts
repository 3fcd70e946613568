// The ledger against an API that is slow to say what was written: what it takes back stays taken back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Informer, InformerListener } from '@kedge/core/control';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { type KubeObject, nodeName, resourceVersion, uid } from '@kedge/model/k8s';
import { createLedger } from './ledger.ts';
import type { Put } from './push.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const node = nodeName('n1');
const put = (version: string): Put => ({
  kind: 'object.put',
  ref: { type: 'pod', namespace: 'default', name: 'web' },
  version: resourceVersion(version),
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u1' } },
  owner: 'edgecontroller',
  change: 'update',
});

/** An informer that tells what it is told to tell. */
function scripted() {
  let told: InformerListener<KubeObject> = {};
  const informer = {
    synced: async () => undefined,
    listen: (listener: InformerListener<KubeObject>) => ((told = listener), () => undefined),
  } as unknown as Informer<KubeObject>;
  return { informer, tell: (what: (listener: InformerListener<KubeObject>) => void) => what(told) };
}

async function start() {
  const clock = new FakeClock({ settle });
  let revision = 0;
  const stamped = (): KubeObject => ({ metadata: { resourceVersion: String(++revision) } });
  const kube = {
    create: async () => stamped(),
    patch: async () => stamped(),
    delete: async () => undefined,
  } as unknown as KubeApi;
  const syncs = scripted();
  const ledger = createLedger({
    clock,
    log: silentLog,
    kube,
    syncs: syncs.informer,
    clusterSyncs: scripted().informer,
  });
  const scope = openScope({ clock, name: 'ledger' });
  await ledger.start(scope);
  const record = (of: number, version: string): KubeObject => ({
    metadata: { name: 'n1.u1', namespace: 'default', resourceVersion: String(of) },
    status: { objectResourceVersion: version },
  });
  return { clock, ledger, syncs, record, revision: () => revision };
}

test('what the watch tells late does not restore an acknowledgement that came into doubt', async () => {
  const { clock, ledger, syncs, record, revision } = await start();
  ledger.acknowledged(node, put('5'), '5');
  await clock.advance(seconds(1));
  const written = revision();
  await ledger.distrust(node, new AbortController().signal);
  assert.equal(ledger.versionOf(node, uid('u1')), '0');
  syncs.tell(({ onPut }) => onPut?.(record(written, '5'), undefined));
  assert.equal(ledger.versionOf(node, uid('u1')), '0');
  syncs.tell(({ onPut }) => onPut?.(record(revision() + 1, '6'), undefined));
  assert.equal(ledger.versionOf(node, uid('u1')), '6', 'another cloudcore delivered something newer');
});

test('the end of an old record does not take away the one that was made since', async () => {
  const { clock, ledger, syncs, record, revision } = await start();
  ledger.acknowledged(node, put('5'), '5');
  await clock.advance(seconds(1));
  const old = revision();
  ledger.forget(node);
  ledger.acknowledged(node, put('5'), '5');
  await clock.advance(seconds(1));
  assert.equal(ledger.versionOf(node, uid('u1')), '5');
  syncs.tell(({ onDelete }) => onDelete?.(record(old, '5')));
  assert.equal(ledger.versionOf(node, uid('u1')), '5');
});
