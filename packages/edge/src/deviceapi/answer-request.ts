// Answers one question about devices. Whoever may connect is trusted to read; nothing can be changed here.
import type { ServerRequest } from '@kedge/core/ports';
import { parseDuration } from '@kedge/core/time';
import type { DeviceName } from '@kedge/model/messages';
import type { Alarms, DeviceReader } from './ports.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const refuse = (status: number, message: string): Answer => ({ status, body: { message } });

export function answerRequest(
  { method, path, query }: Pick<ServerRequest, 'method' | 'path' | 'query'>,
  { reader, alarms, now }: { readonly reader: DeviceReader; readonly alarms: Alarms | undefined; readonly now: number },
): Answer {
  if (method !== 'GET') return refuse(405, `${method} is not possible here: values are read, not written`);
  const segments = decode(path);
  if (segments?.[1] !== 'v1' || segments[2] !== 'devices') {
    return refuse(404, 'there are /v1/devices, /v1/devices/NAMESPACE/NAME and /v1/devices/NAMESPACE/NAME/history');
  }
  const [, , , namespace, name, what, ...more] = segments;
  if (namespace === undefined)
    return { status: 200, body: { devices: reader.devices.list().map(nameOf).map(shortly) } };
  const device: DeviceName = { namespace, name: name ?? '' };
  if (!reader.devices.has(device)) return refuse(404, `there is no device ${namespace}/${name ?? ''} on this node`);
  if (what === undefined) {
    const alarmed = alarms ? { alarms: alarms.active(device) } : {};
    return { status: 200, body: { ...shortly(device), twins: reader.twins(device), ...alarmed } };
  }
  if (what !== 'history' || more.length > 0) return refuse(404, `of a device there is its history, not "${what}"`);
  return historyOf(device);

  function shortly(of: DeviceName) {
    const { state = '', lastOnline = '' } = reader.stateOf(of) ?? {};
    return { namespace: of.namespace, name: of.name, state, lastOnlineTime: lastOnline };
  }

  function historyOf(of: DeviceName): Answer {
    const last = query.get('last');
    const span = last === null ? undefined : parseDuration(last);
    if (last !== null && (span === undefined || span <= 0)) {
      return refuse(400, `last is "${last}", needs a duration such as 30m`);
    }
    const numbers = new Map<string, number>();
    for (const key of ['since', 'until', 'limit']) {
      const text = query.get(key);
      if (text === null) continue;
      if (!/^\d{1,15}$/.test(text)) return refuse(400, `${key} is "${text}", needs a number`);
      numbers.set(key, Number(text));
    }
    if (numbers.get('limit') === 0) return refuse(400, 'limit is 0, needs 1 or more');
    const found = reader.history(of, {
      property: query.get('property') ?? undefined,
      since: span === undefined ? numbers.get('since') : now - span,
      until: numbers.get('until'),
      limit: numbers.get('limit'),
    });
    if (!found) return refuse(404, 'no history is kept: modules.deviceTwin.history.enable is false');
    const history = Object.fromEntries(
      Object.entries(found).map(([property, samples]) => [
        property,
        samples.map(({ at, value }) => ({ timestamp: at, value })),
      ]),
    );
    return { status: 200, body: { ...of, history } };
  }
}

const nameOf = ({ metadata }: { metadata: { namespace?: string; name?: string } }): DeviceName => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
});

function decode(path: string): string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
