// IP addresses and networks: `ip("10.0.0.1").isLoopback()`, `cidr("10.0.0.0/8").containsIP("10.1.2.3")`.
import type { Environment } from '@marcbachmann/cel-js';
import { isIPv4, isIPv6 } from '../../k8s-schema/index.ts';
import { evaluationFailed } from '../values.ts';

const sync = { async: false };

export class CelIp {
  readonly family: 4 | 6;
  readonly bits: bigint;
  constructor(family: 4 | 6, bits: bigint) {
    this.family = family;
    this.bits = bits;
  }
  equals(other: unknown): boolean {
    return other instanceof CelIp && other.family === this.family && other.bits === this.bits;
  }
  toString(): string {
    return formatIp(this);
  }
}

export class CelCidr {
  readonly ip: CelIp;
  readonly length: number;
  constructor(ip: CelIp, length: number) {
    this.ip = ip;
    this.length = length;
  }
  equals(other: unknown): boolean {
    return other instanceof CelCidr && other.length === this.length && other.ip.equals(this.ip);
  }
  toString(): string {
    return `${formatIp(this.ip)}/${this.length}`;
  }
}

class IpNamespace {
  readonly functions = 'ip';
}

export function registerAddressFunctions(env: Environment): void {
  const [ip, cidr] = ['net.IP', 'net.CIDR'];
  env.registerType(ip, CelIp);
  env.registerType(cidr, CelCidr);
  env.registerType('IpNamespace', IpNamespace);
  env.registerConstant('ip', 'IpNamespace', new IpNamespace());
  const on = (signature: string, handler: (...args: never[]) => unknown): void => {
    env.registerFunction(signature, handler, sync);
  };
  on(`ip(string): ${ip}`, needIp);
  on('isIP(string): bool', (text: string) => parseIp(text) !== undefined);
  on('IpNamespace.isCanonical(string): bool', (_: unknown, text: string) => formatIp(needIp(text)) === text);
  on(`string(${ip}): string`, formatIp);
  on(`${ip}.family(): int`, ({ family }: CelIp) => BigInt(family));
  on(`${ip}.isUnspecified(): bool`, ({ bits }: CelIp) => bits === 0n);
  on(`${ip}.isLoopback(): bool`, isLoopback);
  on(`${ip}.isLinkLocalUnicast(): bool`, isLinkLocalUnicast);
  on(`${ip}.isLinkLocalMulticast(): bool`, (a: CelIp) => within(a, '224.0.0.0/24') || linkLocalMulticast6(a));
  on(
    `${ip}.isGlobalUnicast(): bool`,
    (a: CelIp) =>
      a.bits !== 0n &&
      !isLoopback(a) &&
      !isLinkLocalUnicast(a) &&
      !within(a, '224.0.0.0/4') &&
      !within(a, 'ff00::/8') &&
      !within(a, '255.255.255.255/32'),
  );
  on(`cidr(string): ${cidr}`, needCidr);
  on('isCIDR(string): bool', (text: string) => parseCidr(text) !== undefined);
  on(`string(${cidr}): string`, (of: CelCidr) => of.toString());
  on(`${cidr}.containsIP(string): bool`, (of: CelCidr, text: string) => contains(of, needIp(text)));
  on(`${cidr}.containsIP(${ip}): bool`, contains);
  on(`${cidr}.containsCIDR(string): bool`, (of: CelCidr, text: string) => containsCidr(of, needCidr(text)));
  on(`${cidr}.containsCIDR(${cidr}): bool`, containsCidr);
  on(`${cidr}.ip(): ${ip}`, (of: CelCidr) => of.ip);
  on(`${cidr}.masked(): ${cidr}`, ({ ip: a, length }: CelCidr) => new CelCidr(masked(a, length), length));
  on(`${cidr}.prefixLength(): int`, ({ length }: CelCidr) => BigInt(length));
  env.registerOperator(`${ip} == ${ip}`, (a: CelIp, b: CelIp) => a.equals(b));
  env.registerOperator(`${cidr} == ${cidr}`, (a: CelCidr, b: CelCidr) => a.equals(b));
}

export function parseIp(text: string): CelIp | undefined {
  if (isIPv4(text))
    return new CelIp(
      4,
      text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n),
    );
  if (!isIPv6(text) || text.includes('.')) return undefined;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => (part ? part.split(':') : []);
  const [front, back] = [groups(head), tail === undefined ? [] : groups(tail)];
  const all = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back];
  return new CelIp(
    6,
    all.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n),
  );
}

function parseCidr(text: string): CelCidr | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  const ip = parseIp(address);
  if (!ip || rest.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  return Number(length) <= widthOf(ip) ? new CelCidr(ip, Number(length)) : undefined;
}

function needIp(text: string): CelIp {
  const ip = parseIp(text);
  if (!ip) throw evaluationFailed(`IP Address "${text}" parse error during conversion from string`);
  return ip;
}

function needCidr(text: string): CelCidr {
  const cidr = parseCidr(text);
  if (!cidr) throw evaluationFailed(`network address parse error during conversion from string: ${text}`);
  return cidr;
}

const widthOf = ({ family }: CelIp): number => (family === 4 ? 32 : 128);

function masked(ip: CelIp, length: number): CelIp {
  const rest = BigInt(widthOf(ip) - length);
  return new CelIp(ip.family, (ip.bits >> rest) << rest);
}

const contains = ({ ip, length }: CelCidr, other: CelIp): boolean =>
  ip.family === other.family && masked(ip, length).bits === masked(other, length).bits;

const containsCidr = (outer: CelCidr, inner: CelCidr): boolean =>
  outer.length <= inner.length && contains(outer, inner.ip);

const within = (ip: CelIp, network: string): boolean => contains(needCidr(network), ip);
const isLoopback = (ip: CelIp): boolean => within(ip, '127.0.0.0/8') || within(ip, '::1/128');
const isLinkLocalUnicast = (ip: CelIp): boolean => within(ip, '169.254.0.0/16') || within(ip, 'fe80::/10');
const linkLocalMulticast6 = (ip: CelIp): boolean => ip.family === 6 && ((ip.bits >> 112n) & 0xff0fn) === 0xff02n;

/** The canonical form: RFC 5952 for IPv6. */
function formatIp({ family, bits }: CelIp): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((bits >> BigInt(112 - at * 16)) & 0xffffn).toString(16));
  const runs = [
    ...groups
      .map((group) => (group === '0' ? '0' : 'x'))
      .join('')
      .matchAll(/0{2,}/g),
  ];
  const longest = runs.reduce<RegExpExecArray | undefined>(
    (best, run) => (best && best[0].length >= run[0].length ? best : run),
    undefined,
  );
  if (!longest) return groups.join(':');
  const [front, back] = [groups.slice(0, longest.index), groups.slice(longest.index + longest[0].length)];
  return `${front.join(':')}::${back.join(':')}`;
}
