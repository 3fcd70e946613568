// One suite per interface with several implementations: the fake and the real one pass the same.
export { describeCri } from './cri.ts';
export type { CriUnderTest } from './cri.ts';
export { describeDatabase } from './database.ts';
export { withCode } from './expect-error.ts';
export { describeFiles } from './files.ts';
export type { HttpUnderTest } from './http-fixture.ts';
export { describeHttpTls } from './http-tls.ts';
export { describeHttp } from './http.ts';
export { describeKeys } from './keys.ts';
export { describeKubeApi } from './kube-api.ts';
export type { KubeApiUnderTest } from './kube-api.ts';
export { describeMapper } from './mapper.ts';
export type { MapperProperty, MapperUnderTest } from './mapper.ts';
export { describeMqtt } from './mqtt.ts';
export type { MqttStart, MqttUnderTest } from './mqtt.ts';
export { temporaryDirectory } from './temporary-directory.ts';
export { describeWebSocket } from './web-socket.ts';
