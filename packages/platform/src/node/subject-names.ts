// Names inside a certificate, read from Node's certificate object.
import type { X509Certificate } from 'node:crypto';
import type { Subject } from '@kedge/core/ports';

export function subjectOf(certificate: X509Certificate): Subject {
  const { subject } = certificate.toLegacyObject() as unknown as {
    subject: Readonly<Record<string, string | string[] | undefined>> | undefined;
  };
  const names = asList(subject?.['CN']);
  return {
    // Two common names could be read as either: such a certificate names nobody.
    commonName: names.length === 1 ? names[0]! : '',
    organizations: asList(subject?.['O']),
  };
}

const asList = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

/** Node writes `DNS:a, IP Address:1.2.3.4`, and a name with odd characters as a JSON string. */
export function alternativeNames(certificate: X509Certificate): { dnsNames: string[]; addresses: string[] } {
  const names = { dnsNames: [] as string[], addresses: [] as string[] };
  for (const [, kind, quoted, plain] of (certificate.subjectAltName ?? '').matchAll(entry)) {
    const value = quoted === undefined ? plain! : (JSON.parse(quoted) as string);
    if (kind === 'DNS') names.dnsNames.push(value);
    else if (kind === 'IP Address') names.addresses.push(shortAddress(value));
  }
  return names;
}

const entry = /(?:^|, )([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g;

/** `0:0:0:0:0:0:0:1` is `::1` everywhere else. */
const shortAddress = (address: string): string =>
  address.includes(':') && URL.canParse(`http://[${address}]`)
    ? new URL(`http://[${address}]`).hostname.slice(1, -1)
    : address;
