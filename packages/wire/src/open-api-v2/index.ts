// OpenAPI 2 documents in the protobuf form that Kubernetes clients ask for.
export { encodeOpenApiV2, openApiV2MediaTypes } from './encode.ts';
