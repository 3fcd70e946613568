// Checks of the profiles that confine containers.
import { invalidField, requiredField, tooLongField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { AppArmorProfile, SeccompProfile } from '../k8s-types/index.ts';
import { checkDescending } from './volume-checks.ts';

const types = ['Localhost', 'RuntimeDefault', 'Unconfined'];

export function checkSeccomp(profile: SeccompProfile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile: local } = profile;
  const at = `${path}.localhostProfile`;
  return [
    ...(type ? [] : [requiredField(`${path}.type`, 'type is required when seccompProfile is set')]),
    ...(type && !types.includes(type) ? [unsupportedField(`${path}.type`, type, types)] : []),
    ...(type === 'Localhost' && local === undefined
      ? [requiredField(at, 'must be set when seccomp type is Localhost')]
      : []),
    ...(type === 'Localhost' ? checkDescending(local, at) : []),
    ...(type !== 'Localhost' && local !== undefined
      ? [invalidField(at, profile, 'can only be set when seccomp type is Localhost')]
      : []),
  ];
}

const maxPath = 4_095;

export function checkAppArmor(profile: AppArmorProfile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile: local } = profile;
  const at = `${path}.localhostProfile`;
  if (!type) return [requiredField(`${path}.type`, 'type is required when appArmorProfile is set')];
  if (!types.includes(type)) return [unsupportedField(`${path}.type`, type, types)];
  if (type !== 'Localhost')
    return local === undefined ? [] : [invalidField(at, local, 'can only be set when AppArmor type is Localhost')];
  if (local === undefined || local === '') return [requiredField(at, 'must be set when AppArmor type is Localhost')];
  return [
    ...(local === local.trim() ? [] : [invalidField(at, local, 'must not be padded with whitespace')]),
    ...(local.length > maxPath ? [tooLongField(at, maxPath)] : []),
  ];
}
