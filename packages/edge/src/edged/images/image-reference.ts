// Reads image references as far as pulling needs: the registry they name and whether they name a version.

export interface ImageReference {
  /** With a tag or digest, as the runtime is asked for it. */
  readonly name: string;
  /** `docker.io` when none is written. */
  readonly registry: string;
  /** Without registry, tag and digest. */
  readonly repository: string;
  readonly isLatest: boolean;
}

const grammar =
  /^(?:[A-Za-z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,})?$/;

/** Undefined for a text that is no reference. */
export function parseImage(text: string): ImageReference | undefined {
  if (text.length > 512 || !grammar.test(text)) return undefined;
  const [withTag = '', digest] = text.split('@');
  const colon = withTag.lastIndexOf(':');
  const tag = colon > withTag.lastIndexOf('/') ? withTag.slice(colon + 1) : undefined;
  const path = tag === undefined ? withTag : withTag.slice(0, colon);
  const [first = '', ...rest] = path.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return {
    name: tag === undefined && digest === undefined ? `${text}:latest` : text,
    registry: hasRegistry ? first : 'docker.io',
    repository: hasRegistry ? rest.join('/') : path,
    isLatest: digest === undefined && (tag === undefined || tag === 'latest'),
  };
}
