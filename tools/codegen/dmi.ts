// Generates packages/wire/src/dmi/dmi.generated.ts from dmi.proto.
// Run it after every change of the .proto file and commit both: `node tools/codegen/dmi.ts`.
import { generate } from './proto.ts';

generate('dmi', 'dmi');
