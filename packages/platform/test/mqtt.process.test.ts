// The port Mqtt on a real mosquitto, also over TLS.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMqtt } from '@kedge/platform/mqtt';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { describeMqtt, withCode } from '@kedge/testing/contracts';
import { hasMosquitto, startMosquitto } from '@kedge/testing/mosquitto';

const mqtt = createMqtt();
const certificateAuthorities = createCertificateAuthorities();
const onMessage = async (): Promise<void> => undefined;
const options = { clientId: 'tls', timeoutMs: 5_000, onMessage };
const [notBefore, notAfter] = [Date.now() - 60_000, Date.now() + 3_600_000];

if (hasMosquitto) {
  describeMqtt('mosquitto', async (t, start) => {
    const broker = await startMosquitto(t, start);
    return { mqtt, url: `tcp://127.0.0.1:${broker.port}`, stop: broker.stop };
  });
}

describe('mqtt over TLS', { skip: !hasMosquitto && 'mosquitto is not installed' }, () => {
  test('trusts the brokers of its CA alone, and shows its certificate', async (t) => {
    const authority = await certificateAuthorities.createAuthority({
      subject: { commonName: 'CA', organizations: [] },
      notBefore,
      notAfter,
    });
    const common = { notBefore, notAfter };
    const server = await authority.issueWithKey({
      ...common,
      subject: { commonName: 'broker', organizations: [] },
      usages: ['serverAuth'],
      addresses: ['127.0.0.1'],
    });
    const client = await authority.issueWithKey({
      ...common,
      subject: { commonName: 'edge', organizations: [] },
      usages: ['clientAuth'],
    });
    const ca = authority.certificatePem;
    const broker = await startMosquitto(t, {
      tls: { certificate: server.certificatePem, key: server.key.reveal(), clientCa: ca },
    });
    const url = `ssl://127.0.0.1:${broker.port}`;
    const own = { certificate: client.certificatePem, key: client.key.reveal() };
    const connection = await mqtt.connect({ ...options, url, tls: { ca, ...own } });
    await connection.subscribe(['a'], 1);
    await connection.close();

    const stranger = await certificateAuthorities.createAuthority({
      subject: { commonName: 'other CA', organizations: [] },
      ...common,
    });
    const untrusting = { ca: stranger.certificatePem, ...own };
    await assert.rejects(mqtt.connect({ ...options, url, tls: untrusting }), withCode('MQTT_UNTRUSTED_BROKER'));
    await assert.rejects(mqtt.connect({ ...options, url, tls: { ca } }));
    await assert.rejects(
      mqtt.connect({ ...options, url, tls: { ca: 'no PEM', certificate: 'none', key: 'none' } }),
      withCode('MQTT_BAD_TLS'),
    );
  });
});
