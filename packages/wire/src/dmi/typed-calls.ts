// Tables of methods as typed calls over any transport, and as handlers around an implementation.
import type { CallOptions, RpcHandlers, RpcTransport } from '../rpc/index.ts';
import { rpcFailure } from '../rpc/index.ts';

export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}
export interface Method<Request, Response> {
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}
// oxlint-disable-next-line typescript/no-explicit-any -- tables of methods; the types are recovered per entry below
export type Methods = Readonly<Record<string, Method<any, any>>>;

export const method = <Request, Response>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response> => ({ path, request, response });

export type Client<T extends Methods> = {
  readonly [K in keyof T]: T[K] extends Method<infer Request, infer Response>
    ? (request: Request, options?: CallOptions) => Promise<Response>
    : never;
};
export type Service<T extends Methods> = {
  readonly [K in keyof T]: T[K] extends Method<infer Request, infer Response>
    ? (request: Request, signal: AbortSignal) => Promise<Response>
    : never;
};

export function createClient<T extends Methods>(methods: T, rpc: RpcTransport): Client<T> {
  const calls = Object.entries(methods).map(([name, { path, request, response }]) => [
    name,
    async (message: unknown, options?: CallOptions) =>
      response.decode(await rpc.call(path, request.encode(message).finish(), options)) as unknown,
  ]);
  return Object.fromEntries(calls) as Client<T>;
}

export function serve<T extends Methods>(methods: T, service: Service<T>): RpcHandlers {
  return Object.fromEntries(
    Object.entries(methods).map(([name, { path, request, response }]) => [
      path,
      async (bytes: Uint8Array, { signal }: { readonly signal: AbortSignal }) => {
        const answer = service[name as keyof T] as (message: unknown, signal: AbortSignal) => Promise<unknown>;
        return response.encode(await answer(decode(request, bytes), signal)).finish();
      },
    ]),
  );
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw rpcFailure('INVALID_ARGUMENT', `not a message of this method: ${(error as Error).message}`);
  }
}
