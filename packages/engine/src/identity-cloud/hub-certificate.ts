// Whether a stored serving certificate is still good for the addresses edges dial.
import type { Keys, PeerCertificate, TlsFiles } from '@kedge/core/ports';
import { days, type Instant } from '@kedge/core/time';
import { secret } from '@kedge/core/log';

export const hubLifetime = days(3_650);
const renewWithin = days(30);

/** False for anything unreadable: a new one is made then. */
export function covers(
  keys: Keys,
  { certificate, key }: TlsFiles,
  wanted: { readonly advertiseAddress: readonly string[]; readonly dnsNames: readonly string[] },
  now: Instant,
): boolean {
  try {
    const info = keys.readCertificate(certificate);
    return (
      info.notAfter > now + renewWithin &&
      wanted.advertiseAddress.every((address) => info.addresses.includes(plain(address))) &&
      wanted.dnsNames.every((name) => info.dnsNames.includes(name)) &&
      keys.matches(certificate, secret(key))
    );
  } catch {
    return false;
  }
}

/** Whether a certificate for `name` could pass for this cloud's: edges know the cloud by its CA and its name. */
export const isOurs = (
  name: string,
  {
    advertiseAddress,
    dnsNames,
  }: { readonly advertiseAddress: readonly string[]; readonly dnsNames: readonly string[] },
): boolean => name.includes('*') || [...advertiseAddress, ...dnsNames].some((own) => plain(own) === plain(name));

/** As clients compare: names in any case, and with or without the dot at the end; addresses by what they are for (RFC 5952). */
function plain(name: string): string {
  if (name.includes(':') && URL.canParse(`http://[${name}]`)) return new URL(`http://[${name}]`).hostname.slice(1, -1);
  return name.toLowerCase().replace(/\.$/, '');
}

/** Edges of v1.15 and older have one name for all of them. */
export const isLegacyEdge = ({ commonName, organizations }: PeerCertificate): boolean =>
  commonName === 'kubeedge.io' && organizations[0] === 'KubeEdge';
