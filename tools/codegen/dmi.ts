// Generates packages/wire/src/dmi/dmi.generated.ts from dmi.proto, and the same for v1alpha1 in the folder beside it.
// Run it after every change of a .proto file and commit both: `node tools/codegen/dmi.ts`.
import { generate } from './proto.ts';

generate('dmi', 'dmi');
generate('dmi/v1alpha1', 'dmi-v1alpha1');
