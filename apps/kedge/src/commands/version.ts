// `kedge version` and what every --version prints.
declare const KEDGE_VERSION: string | undefined;

/** The version of this build; `dev` when run from source. */
export const kedgeVersion: string = typeof KEDGE_VERSION === 'string' ? KEDGE_VERSION : 'dev';

export async function version(): Promise<number> {
  process.stdout.write(`kedge ${kedgeVersion} (node ${process.versions.node}, ${process.platform}/${process.arch})\n`);
  return 0;
}
