// Base64 of texts, for the one place where the model itself has to produce it: `stringData` of a Secret.

/** The base64 form of a text's UTF-8 bytes. */
export function encodeBase64(text: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
}

/** How many bytes a base64 text stands for. */
export const base64Length = (text: string): number =>
  Math.floor((text.replaceAll(/[\r\n]/g, '').length * 3) / 4) - (/=*$/.exec(text)?.[0].length ?? 0);
