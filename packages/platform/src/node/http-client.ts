// The HTTP client, which loads what it stands on with its first request.
import { type HttpClient, httpErrors } from '@kedge/core/ports';
import type { HttpClientOptions } from '@kedge/platform/http';

export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  let loading: Promise<HttpClient> | undefined;
  let closed = false;
  return {
    async request(request) {
      loading ??= import('@kedge/platform/http').then(({ createClient }) => createClient(options));
      const client = await loading;
      if (closed) throw httpErrors.CLOSED({ what: 'the HTTP client' });
      return client.request(request);
    },
    async close() {
      closed = true;
      await (await loading)?.close();
    },
  };
}
