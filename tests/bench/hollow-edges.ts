// Edges that are only a link, for measuring a cloudcore with hundreds of them: real TLS and WebSocket, upstream's form of
// every message, certificates of the cloud's own CA. They acknowledge whatever is pushed and report what they are told to.
import { secret } from '@kedge/core/log';
import type { Socket } from '@kedge/core/ports';
import { instant } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { createDialer, createKeys, createRandom } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';

const random = createRandom();
const project = 'e632aba927ea4ac2b575ec1603d56f10';
const maxFrameBytes = 16 << 20;

export interface HollowEdge {
  readonly node: string;
  /** Resolves with the milliseconds until the cloud confirmed it. */
  report(device: string, twin: object): Promise<number>;
  /** Told of every object that is pushed. */
  onPush: ((object: { metadata?: { name?: string }; spec?: unknown }) => void) | undefined;
  close(): void;
}

export async function openHollowEdges(
  kube: KubeApi,
  port: number,
  nodes: readonly string[],
): Promise<readonly HollowEdge[]> {
  const keys = createKeys();
  const { data } = (await kube.get(
    { group: '', version: 'v1', resource: 'secrets' },
    { namespace: 'kubeedge', name: 'casecret' },
  )) as unknown as { data: { cadata: string; cakeydata: string } };
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
  const authority = await createCertificateAuthorities().openAuthority({
    certificate: bytes(data.cadata),
    key: secret(bytes(data.cakeydata)),
  });
  const ca = keys.toPem('CERTIFICATE', bytes(data.cadata));
  const dialer = createDialer();
  const edges: HollowEdge[] = [];
  for (const node of nodes) {
    const { certificatePem, key } = await authority.issueWithKey({
      subject: { commonName: `system:node:${node}`, organizations: ['system:nodes'] },
      dnsNames: [],
      addresses: [],
      usages: ['clientAuth'],
      notBefore: instant(Date.now() - 60_000),
      notAfter: instant(Date.now() + 3_600_000),
    });
    const { socket } = await dialer.dial({
      url: `wss://127.0.0.1:${port}/${project}/${node}/events`,
      headers: { node_id: node, project_id: project, ConnectionUse: 'msg' },
      tls: { ca, certificate: certificatePem, key: key.reveal() },
      maxFrameBytes,
      timeoutMs: 30_000,
    });
    edges.push(hollowEdge(node, socket));
  }
  return edges;
}

function hollowEdge(node: string, socket: Socket): HollowEdge {
  const waiting = new Map<string, () => void>();
  const send = (message: object): Promise<void> => socket.send(JSON.stringify(message));
  const keepalive = setInterval(() => {
    void send({
      header: { msg_id: random.uuid(), timestamp: Date.now() },
      route: { source: 'websocket', group: 'resource', operation: 'keepalive', resource: 'node' },
      content: 'ping',
    }).catch(() => clearInterval(keepalive));
  }, 10_000);
  const edge: HollowEdge = {
    node,
    onPush: undefined,
    async report(device, twin) {
      const id = random.uuid();
      const began = performance.now();
      const confirmed = new Promise<void>((resolve) => waiting.set(id, resolve));
      await send({
        header: { msg_id: id, timestamp: Date.now() },
        route: {
          source: 'twin',
          group: 'resource',
          operation: 'update',
          resource: `device/default/${device}/twin/edge_updated`,
        },
        content: { event_id: id, timestamp: Date.now(), twin },
      });
      await confirmed;
      return performance.now() - began;
    },
    close() {
      clearInterval(keepalive);
      socket.terminate();
    },
  };
  void (async () => {
    for await (const frame of socket.frames()) {
      const { header, route, content } = JSON.parse(new TextDecoder().decode(frame.data)) as {
        header: { msg_id: string; parent_msg_id?: string };
        route: { operation: string; group: string };
        content: { metadata?: { name?: string }; spec?: unknown };
      };
      if (header.parent_msg_id) {
        waiting.get(header.parent_msg_id)?.();
        waiting.delete(header.parent_msg_id);
      } else if (route.group === 'resource') {
        edge.onPush?.(content);
        await send({
          header: { msg_id: random.uuid(), parent_msg_id: header.msg_id, timestamp: Date.now() },
          route: { ...route, operation: 'response' },
          content: 'OK',
        });
      }
    }
  })().catch(() => undefined);
  return edge;
}
