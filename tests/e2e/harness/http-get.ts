// A plain GET, as a neighbour of the pod on the node's bridge would send it.
import { request } from 'node:http';

export const httpGet = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = request(url, { timeout: 3_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve(body) : reject(new Error(`HTTP ${answer.statusCode}`)),
      );
    });
    call
      .on('error', reject)
      .on('timeout', () => call.destroy(new Error('timeout')))
      .end();
  });
