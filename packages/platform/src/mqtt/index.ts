// The port `Mqtt` on the mqtt package, MQTT 3.1.1. Load it with `import()`: who has no broker need not carry it.
//
//     const { createMqtt } = await import('@kedge/platform/mqtt');
//     const connection = await createMqtt().connect({ url: 'tcp://127.0.0.1:1883', clientId, timeoutMs, onMessage });
export { createMqtt } from './connect.ts';
