// node:http in both directions, loaded when there is somebody to speak with: an edge at rest neither asks nor is asked. Who wants a
// client or a server takes those of `@kedge/platform/node`, which load this.
export { createHttp2Server } from './http2-server.ts';
export { createClient } from './http-client.ts';
export { createSpeaker } from './speaker.ts';
export type { HttpClientOptions } from './http-client.ts';
export type { HttpServerLimits } from './server-limits.ts';
export type { Speaker } from './speaker.ts';
