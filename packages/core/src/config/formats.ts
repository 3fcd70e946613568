// The forms a text in a configuration may have to have: what each looks like and how to say so.
import { parseDuration } from '../time/index.ts';
import type { Format } from './schema.ts';

interface Form {
  readonly is: (value: string) => boolean;
  /** Completes "needs ...". */
  readonly needs: string;
}

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const isIp = (value: string): boolean => ipv4.test(value) || (value.includes(':') && URL.canParse(`http://[${value}]`));
const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const subdomain = new RegExp(`^${label}(?:\\.${label})*$`);
const wildcard = new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})*$`, 'i');

/** `host:port` with brackets around an IPv6 address; undefined when it is none. */
export function splitHostPort(value: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value);
  if (!match) return undefined;
  const host = match[1] ?? match[2]!;
  const port = Number(match[3]);
  const good = match[1] === undefined ? isIp(host) || wildcard.test(host) : isIp(host);
  return good && port <= 65_535 ? { host, port } : undefined;
}

export const forms: Readonly<Record<Format, Form>> = {
  duration: { is: (value) => parseDuration(value) !== undefined, needs: 'a duration such as 10s or 1h30m' },
  ip: { is: isIp, needs: 'an IP address' },
  'host-port': { is: (value) => splitHostPort(value) !== undefined, needs: 'an address such as 192.0.2.1:10000' },
  url: {
    is: (value) => /^https?:\/\//.test(value) && URL.canParse(value),
    needs: 'a URL such as https://192.0.2.1:10002',
  },
  path: { is: (value) => value === '' || value.startsWith('/'), needs: 'an absolute path' },
  'unix-url': {
    is: (value) => /^unix:\/\/\/./.test(value),
    needs: 'a socket such as unix:///run/containerd/containerd.sock',
  },
  'node-name': {
    is: (value) => value.length <= 253 && subdomain.test(value),
    needs: 'a node name: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
  },
  // KubeEdge's own default is one empty name.
  'dns-name': { is: (value) => value === '' || (value.length <= 253 && wildcard.test(value)), needs: 'a DNS name' },
};
