// Generates packages/wire/src/cri/cri.generated.ts from cri.proto.
// Run it after every change of the .proto file and commit both: `node tools/codegen/cri.ts`.
import { generate } from './proto.ts';

generate('cri', 'cri');
