// Writes POSIX (ustar) archives: just what a container image layer and an OCI archive consist of.

export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

/** A folder that everybody may enter. */
export const tarDirectory = (path: string): TarEntry => ({ type: 'directory', path, mode: 0o755 });

/** A file of text that everybody may read. */
export const tarText = (path: string, content: string): TarEntry => ({
  type: 'file',
  path,
  mode: 0o644,
  content: Buffer.from(content),
});

const blockSize = 512;
const typeFlags = { file: '0', symlink: '2', directory: '5' } as const;

/** One archive in memory. Times and owners are zero, so the same entries give the same bytes. */
export function encodeTar(entries: readonly TarEntry[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const entry of entries) {
    blocks.push(encodeHeader(entry));
    if (entry.type !== 'file') continue;
    blocks.push(entry.content);
    const rest = entry.content.length % blockSize;
    if (rest > 0) blocks.push(new Uint8Array(blockSize - rest));
  }
  blocks.push(new Uint8Array(2 * blockSize));
  return Buffer.concat(blocks);
}

function encodeHeader(entry: TarEntry): Uint8Array {
  const header = Buffer.alloc(blockSize);
  const text = (value: string, at: number, length: number): void => {
    if (Buffer.byteLength(value) > length) throw new RangeError(`"${value}" is too long for a tar header`);
    header.write(value, at, length, 'utf8');
  };
  const octal = (value: number, at: number, length: number): void =>
    text(value.toString(8).padStart(length - 1, '0'), at, length);

  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  // A long path is split at a slash: up to 155 bytes of prefix, up to 100 of name.
  const cut = path.length <= 100 ? -1 : path.indexOf('/', path.length - 101);
  text(cut < 0 ? path : path.slice(cut + 1), 0, 100);
  text(cut < 0 ? '' : path.slice(0, cut), 345, 155);
  octal(entry.type === 'symlink' ? 0o777 : entry.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.type === 'file' ? entry.content.length : 0, 124, 12);
  octal(0, 136, 12);
  text(typeFlags[entry.type], 156, 1);
  if (entry.type === 'symlink') text(entry.target, 157, 100);
  text('ustar\x0000', 257, 8);

  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return header;
}
