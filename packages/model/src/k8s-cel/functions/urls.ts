// `url("https://example.com:80/path?a=b").getHost()`: absolute URLs and paths, as Go's request URIs.
import type { Environment } from '@marcbachmann/cel-js';
import { evaluationFailed } from '../values.ts';

const sync = { async: false };

export class CelUrl {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  constructor(scheme: string, host: string, path: string, query: string) {
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.query = query;
  }
  equals(other: unknown): boolean {
    return other instanceof CelUrl && other.toString() === this.toString();
  }
  toString(): string {
    return `${this.scheme ? `${this.scheme}://${this.host}` : ''}${this.path}${this.query ? `?${this.query}` : ''}`;
  }
}

export function registerUrlFunctions(env: Environment): void {
  const type = 'kubernetes.URL';
  env.registerType(type, CelUrl);
  const on = (signature: string, handler: (...args: never[]) => unknown): void => {
    env.registerFunction(signature, handler, sync);
  };
  on(`url(string): ${type}`, (text: string) => {
    const parsed = parseUrl(text);
    if (!parsed) throw evaluationFailed(`URL parse error during conversion from string: ${JSON.stringify(text)}`);
    return parsed;
  });
  on('isURL(string): bool', (text: string) => parseUrl(text) !== undefined);
  on(`${type}.getScheme(): string`, ({ scheme }: CelUrl) => scheme);
  on(`${type}.getHost(): string`, ({ host }: CelUrl) => host);
  on(`${type}.getHostname(): string`, ({ host }: CelUrl) => splitHost(host).name);
  on(`${type}.getPort(): string`, ({ host }: CelUrl) => splitHost(host).port);
  on(`${type}.getEscapedPath(): string`, ({ path }: CelUrl) => path);
  on(`${type}.getQuery(): map<string, list<string>>`, ({ query }: CelUrl) => {
    const found = new Map<string, string[]>();
    for (const [name, value] of new URLSearchParams(query)) found.set(name, [...(found.get(name) ?? []), value]);
    return found;
  });
  env.registerOperator(`${type} == ${type}`, (a: CelUrl, b: CelUrl) => a.equals(b));
}

const absolute = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\s]*)(\/[^?#\s]*)?(?:\?([^#\s]*))?$/i;
const rooted = /^(\/[^?#\s]*)(?:\?([^#\s]*))?$/;

function parseUrl(text: string): CelUrl | undefined {
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined;
  const whole = absolute.exec(text);
  if (whole) {
    const [, scheme = '', authority = '', path = '', query = ''] = whole;
    const host = authority.slice(authority.lastIndexOf('@') + 1);
    if (!/^(?:\[[0-9a-f:.]+\]|[^[\]:]*)(?::\d*)?$/i.test(host)) return undefined;
    return new CelUrl(scheme.toLowerCase(), host, path, query);
  }
  const path = rooted.exec(text);
  return path ? new CelUrl('', '', path[1] ?? '', path[2] ?? '') : undefined;
}

function splitHost(host: string): { name: string; port: string } {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(host) ?? [];
  return { name: bracketed ?? plain, port };
}
