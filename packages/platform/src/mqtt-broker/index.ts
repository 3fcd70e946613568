// The port `MqttBrokers` on aedes: a broker inside this process, MQTT 3.1.1, with bounds. Load it with `import()`: who
// needs no broker need not carry it.
//
//     const { createMqttBrokers } = await import('@kedge/platform/mqtt-broker');
//     const broker = await createMqttBrokers({ log, now }).open({ address: '127.0.0.1', port: 1884, limits });
//     const connection = await broker.connect({ url: broker.url, clientId, timeoutMs, onMessage });
export { createMqttBrokers } from './open-broker.ts';
