// Certificate authorities for the cloud. Weighs 350 kB: nothing of the edge imports it.
export { createCertificateAuthorities } from './certificate-authorities.ts';
