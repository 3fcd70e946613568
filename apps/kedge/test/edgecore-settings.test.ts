// Settings on their way from the starter to the daemon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEdgeCoreConfig } from '@kedge/model/componentconfig';
import { handOver, takeOver } from '../src/edgecore-settings.ts';

test('secrets arrive, and are gone from the environment', () => {
  const content = {
    modules: {
      edgeHub: { token: 'swordfish' },
      eventBus: {
        enable: true,
        mqttMode: 1,
        mqttUsername: 'edge',
        mqttPassword: 'marlin',
        internalBroker: { username: 'app', password: 'tuna' },
      },
    },
  };
  const read = readEdgeCoreConfig(
    { file: { path: 'edgecore.yaml', content } },
    { hostname: 'edge-1', addresses: ['192.0.2.1'] },
  );
  const environment = handOver(read, {});
  const { config } = takeOver(environment);
  assert.deepEqual(environment, {});
  assert.equal(config.identity.token?.reveal(), 'swordfish');
  const { url, clientId, credentials } = config.eventBus!.broker!;
  assert.deepEqual([url, clientId, credentials?.username], ['tcp://127.0.0.1:1883', 'kedge-edge-1', 'edge']);
  assert.equal(credentials?.password.reveal(), 'marlin');
  assert.equal(config.eventBus?.inside?.credentials?.password.reveal(), 'tuna');
});
