// A detached JSON web signature (HS256): head and signature without the content, as cluster-info carries it.
import { CompactSign } from 'jose';

/** Only who knows the secret part of the token can make the signature, and check it. */
export async function signDetached(
  content: string,
  { id, secret }: { readonly id: string; readonly secret: string },
): Promise<string> {
  const text = new TextEncoder();
  const signed = await new CompactSign(text.encode(content))
    .setProtectedHeader({ alg: 'HS256', kid: id })
    .sign(text.encode(secret));
  const [head, , signature] = signed.split('.');
  return `${head}..${signature}`;
}
