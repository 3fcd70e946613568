// Generates packages/wire/src/deviceplugin/deviceplugin.generated.ts from deviceplugin.proto.
// Run it after every change of the .proto file and commit both: `node tools/codegen/deviceplugin.ts`.
import { generate } from './proto.ts';

generate('deviceplugin', 'deviceplugin');
