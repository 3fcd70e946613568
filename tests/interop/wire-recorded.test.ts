// Every recorded message of a real KubeEdge v1.22 survives our codec, as an envelope and as a typed message.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawMessage } from '@kedge/model/messages';
import {
  decodeEnvelope,
  downstreamFromWire,
  downstreamToWire,
  encodeEnvelope,
  readFrame,
  upstreamFromWire,
  upstreamToWire,
} from '@kedge/wire/hub';
import { readRecording, recordings } from './recorded/read-recording.ts';

const frameOf = (message: RawMessage) => ({ data: new TextEncoder().encode(JSON.stringify(message)), binary: false });
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

for (const name of recordings) {
  const frames = readRecording(name);
  if (frames.length === 0) continue;
  test(`recorded messages survive decoding and encoding: ${name}`, () => {
    for (const { dir, message } of frames) {
      const raw = decodeEnvelope(readFrame(frameOf(message)));
      assert.deepEqual(JSON.parse(encodeEnvelope(raw)), message);
      const back =
        dir === 'edge>cloud' ? upstreamToWire(upstreamFromWire(raw)) : downstreamToWire(downstreamFromWire(raw));
      assert.deepEqual(plain(back), message);
    }
  });
}

/** What this version leaves to later ones: rules for services and the local API's watches. */
const laterSources = new Set(['servicebus', 'metaserver', 'dynamiccontroller', 'router_servicebus']);

test('only messages about services and watches are unknown', () => {
  for (const name of recordings) {
    for (const { dir, message } of readRecording(name)) {
      const { kind } = dir === 'edge>cloud' ? upstreamFromWire(message) : downstreamFromWire(message);
      if (kind !== 'unknown') continue;
      const { source = '' } = message.route;
      assert.ok(laterSources.has(source), `${name}: ${JSON.stringify(message.route)}`);
    }
  }
});
