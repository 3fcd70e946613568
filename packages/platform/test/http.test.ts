// node:http and ws keep the contracts of HTTP and WebSocket.
import { milliseconds } from '@kedge/core/time';
import { createDialer, createHttpClient, createHttpServers } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { describeHttp, describeHttpTls, describeWebSocket, type HttpUnderTest } from '@kedge/testing/contracts';

const under: HttpUnderTest = {
  servers: (log) => createHttpServers({ log }),
  client: ({ tls, answerWithinMs } = {}) =>
    createHttpClient({
      ...(tls ? { tls } : {}),
      ...(answerWithinMs === undefined ? {} : { timeouts: { answer: milliseconds(answerWithinMs) } }),
    }),
  dialer: createDialer(),
  authorities: createCertificateAuthorities(),
};

describeHttp('node:http', under);
describeHttpTls('node:https', under, Date.now);
describeWebSocket('ws', under, Date.now);
