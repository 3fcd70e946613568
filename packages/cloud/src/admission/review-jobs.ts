// NodeUpgradeJobs, which are what they were created as, and the defaults they get.
import { allow, deny, isEqual, type PatchStep, type Reviewer, type Verdict } from './verdict.ts';

interface JobSpec {
  readonly version?: string;
  readonly image?: string;
  readonly nodeNames?: readonly string[];
  readonly labelSelector?: object;
  readonly concurrency?: number;
  readonly timeoutSeconds?: number;
}

const versionForm = /^v\d+\.\d+\.\d+(-[a-zA-Z0-9_.]+(?:-[a-zA-Z0-9_.]+)*)?$/;
const imageForm =
  /^[A-Za-z0-9][A-Za-z0-9._:-]*\/[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*(@sha256:[A-Fa-f0-9]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$/;
/** Longer ones are nobody's, and matching them would take its time. */
const maxText = 1_024;

const defaultTimeout = 300;

export const reviewUpgradeJob: Reviewer = async ({ object, before, operation }) => {
  if (!object || operation === 'DELETE' || operation === 'CONNECT') return allow;
  if (operation === 'UPDATE' && !isEqual(object['spec'], before?.['spec'])) {
    return deny("spec fields are not allowed to update once it's created: make another NodeUpgradeJob");
  }
  return checkSpec((object['spec'] ?? {}) as JobSpec) ?? allow;
};

function checkSpec({ version = '', image = '', nodeNames = [], labelSelector }: JobSpec): Verdict | undefined {
  if (version.length > maxText || !versionForm.test(version)) {
    return deny(`spec.version: invalid version ${version.slice(0, 80)}; write it as v1.22.2`);
  }
  if (image !== '' && (image.length > maxText || !imageForm.test(image))) {
    return deny(`spec.image: invalid image repo ${image.slice(0, 80)}; write it as registry/name, without a tag`);
  }
  if (nodeNames.length > 0 && labelSelector) {
    return deny('spec.nodeNames, spec.labelSelector: both are given; give one of them');
  }
  if (nodeNames.length === 0 && !labelSelector) {
    return deny('spec.nodeNames, spec.labelSelector: neither is given; say which nodes are to be upgraded');
  }
  return undefined;
}

export const defaultUpgradeJob: Reviewer = async ({ object, operation }) => {
  if (!object?.['spec'] || (operation !== 'CREATE' && operation !== 'UPDATE')) return allow;
  const { concurrency, timeoutSeconds } = object['spec'] as JobSpec;
  const patch: PatchStep[] = [];
  if (!concurrency) patch.push({ op: 'add', path: '/spec/concurrency', value: 1 });
  if (timeoutSeconds === undefined) patch.push({ op: 'add', path: '/spec/timeoutSeconds', value: defaultTimeout });
  return patch.length === 0 ? allow : { allowed: true, patch };
};
