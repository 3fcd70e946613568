// HTTP/2 over plain sockets, as small as gRPC needs it: node:http2 takes a megabyte more (docs/adr/0040).
//
//     const connection = new Http2Connection(socket, { side: 'client' }, {});
//     const stream = connection.request(fields, body);
//     stream?.listen({ headers, data, end, closed });
export { Http2Connection } from './connection.ts';
export type { ConnectionEvents, ConnectionOptions } from './connection.ts';
export type { HeaderFields, Headers } from './hpack.ts';
export type { Http2Stream, StreamEvents, StreamFault } from './stream.ts';
