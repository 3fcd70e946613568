// Asks a gRPC server once whether it is well, on a connection of its own. The two messages of the health checking
// protocol have one field each: they are written and read here rather than generated.
import { connect } from 'node:net';
import type { ProbeNetwork } from '@kedge/core/ports';
import { rpcErrors } from '@kedge/wire/rpc';
import { openExchange } from './exchange.ts';
import { encodeFrame } from './framing.ts';
import { Http2Connection } from './http2/index.ts';

const path = '/grpc.health.v1.Health/Check';
/** An answer is two bytes; a server that sends more does not speak this protocol. */
const maxMessageBytes = 1_024;

export const askGrpcHealth: ProbeNetwork['grpcHealth'] = async ({ host, port, service }, signal) => {
  signal.throwIfAborted();
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  // The call hears of a broken connection through its own stream.
  const connection = new Http2Connection(connect({ host, port }), { side: 'client' }, {});
  try {
    const fields = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': path,
      ':authority': address,
      'content-type': 'application/grpc',
      'user-agent': 'kube-probe/1.32',
      te: 'trailers',
    };
    const stream = connection.request(fields, encodeFrame(encodeRequest(service)))!;
    const exchange = openExchange(stream, { path, address, maxMessageBytes, limit: undefined, signal });
    let answer: Uint8Array | undefined;
    for (let next = await exchange.next(); next; next = await exchange.next()) answer = next;
    if (!answer) throw rpcErrors.MALFORMED({ method: path, reason: 'success without an answer' });
    return decodeStatus(answer);
  } finally {
    connection.close('the probe is over');
  }
};

/** `{ string service = 1 }`; an empty text is left out. */
function encodeRequest(service: string): Uint8Array {
  if (service === '') return new Uint8Array(0);
  const text = Buffer.from(service, 'utf8').subarray(0, 16_383);
  const length = text.length < 0x80 ? [text.length] : [(text.length & 0x7f) | 0x80, text.length >> 7];
  return Buffer.concat([Uint8Array.of(0x0a, ...length), text]);
}

/** `{ ServingStatus status = 1 }`; zero is left out. Fields of later versions would follow. */
const decodeStatus = (message: Uint8Array): number => (message[0] === 0x08 ? (message[1] ?? 0) : 0);
