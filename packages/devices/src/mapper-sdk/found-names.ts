// Names for what a search has come upon.

/** As Kubernetes takes it. */
export const objectName = (text: string, otherwise: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '') || otherwise;

/** Letters, digits, - and _. */
export const propertyName = (text: string): string =>
  text
    .trim()
    .replace(/[^\w-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63) || 'value';
