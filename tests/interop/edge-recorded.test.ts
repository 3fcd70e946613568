// The recorded cloud side of a real KubeEdge v1.22 is played to our edge: it takes every message, acknowledges what the
// cloud waits for, and ends up with the objects that the cloud meant it to have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '@kedge/core/time';
import { startEdge } from '../../packages/edge/test/link-fixture.ts';
import { readRecording, recordings } from './recorded/read-recording.ts';

const ackedReplies = /\/(configmap|secret|persistentvolume|persistentvolumeclaim|volumeattachment)\//;

for (const name of recordings) {
  const sent = readRecording(name).filter(({ dir }) => dir === 'cloud>edge');
  if (sent.length === 0) continue;
  test(`our edge takes what a real cloud sent: ${name}`, async () => {
    const edge = await startEdge();
    const cloud = await edge.accept();
    for (const { message } of sent) await cloud.send(message);
    await edge.clock.advance(seconds(10));

    const answers = cloud.received.filter(({ header }) => header.parent_msg_id !== undefined);
    for (const { message } of sent) {
      const { operation = '', resource = '', group, source } = message.route;
      const isPush = group === 'resource' && ['insert', 'update', 'delete'].includes(operation);
      const isAckedReply = source === 'edgecontroller' && operation === 'response' && ackedReplies.test(resource);
      const mine = answers.filter(({ header }) => header.parent_msg_id === message.header.msg_id);
      const expected = isPush || isAckedReply ? ['response OK'] : [];
      assert.deepEqual(
        mine.map((answer) => `${answer.route.operation} ${String(answer.content)}`),
        expected,
        JSON.stringify(message.route),
      );
    }
    assert.equal(edge.link.isOnline, true);
    await edge.stop();
  });
}

test('after the recorded deployment the edge holds the pod, and after its deletion nothing of it', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  const play = async (name: string): Promise<void> => {
    for (const { dir, message } of readRecording(name)) if (dir === 'cloud>edge') await cloud.send(message);
    await edge.clock.advance(seconds(1));
  };
  await play('03-deploy-with-configmap-secret');
  const [pod] = edge.meta.pods.list();
  assert.match(pod?.metadata.name ?? '', /^web-/);
  assert.equal(pod?.metadata.managedFields, undefined);
  await play('04-update-configmap-secret');
  assert.equal(edge.meta.inventory().filter(({ ref }) => ref.type === 'secret').length, 1);
  await play('05-delete-deployment');
  assert.deepEqual(edge.meta.pods.list(), []);
  assert.deepEqual(
    edge.meta.inventory().filter(({ ref }) => ref.type === 'pod' || ref.type === 'secret'),
    [],
  );
  await edge.stop();
});
