// CertificateSigningRequests.
import { checkDns1123Subdomain, duplicateField, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { CertificateSigningRequest } from '../k8s-types/index.ts';
import { repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const minSeconds = 600;

export const certificateRequestRules = createRules<CertificateSigningRequest>({
  validate: ({ spec, status }) => {
    const { request = '', usages: asked = [], signerName = '', expirationSeconds } = spec ?? {};
    const conditions = status?.conditions ?? [];
    return [
      ...(isPemRequest(request)
        ? []
        : [invalidField('spec.request', request, 'PEM block type must be CERTIFICATE REQUEST')]),
      ...(asked.length === 0 ? [requiredField('spec.usages')] : []),
      ...asked.flatMap((usage, at) =>
        usages.includes(usage) ? [] : [unsupportedField(`spec.usages[${at}]`, usage, usages)],
      ),
      ...repeated(asked, (usage) => usage).map((at) => duplicateField(`spec.usages[${at}]`, asked[at])),
      ...checkSignerName(signerName, 'spec.signerName'),
      ...(expirationSeconds !== undefined && expirationSeconds < minSeconds
        ? [
            invalidField(
              'spec.expirationSeconds',
              expirationSeconds,
              'may not specify a duration less than 600 seconds (10 minutes)',
            ),
          ]
        : []),
      ...(conditions.some(({ type }) => type === 'Approved') && conditions.some(({ type }) => type === 'Denied')
        ? [invalidField('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive')]
        : []),
    ];
  },
});

function isPemRequest(base64: string): boolean {
  try {
    return atob(base64).includes('-----BEGIN CERTIFICATE REQUEST-----');
  } catch {
    return false;
  }
}

/** `example.com/signer`: a domain of at least two parts, and a path. */
export function checkSignerName(name: string, path: string): FieldError[] {
  if (!name) return [requiredField(path)];
  const [domain = '', signer, ...more] = name.split('/');
  if (!signer || more.length > 0)
    return [
      invalidField(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  return [
    ...checkDns1123Subdomain(domain).map((sentence) =>
      invalidField(path, domain, `validating label "${domain}": ${sentence}`),
    ),
    ...(domain.includes('.')
      ? []
      : [invalidField(path, domain, 'should be a domain with at least two segments separated by dots')]),
    ...checkDns1123Subdomain(signer).map((sentence) =>
      invalidField(path, signer, `validating label "${signer}": ${sentence}`),
    ),
  ];
}
