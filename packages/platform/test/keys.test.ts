// node:crypto and @peculiar/x509 keep the contract of keys.
import { createKeys } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { describeKeys } from '@kedge/testing/contracts';

describeKeys('node:crypto with @peculiar/x509', createKeys(), createCertificateAuthorities());
