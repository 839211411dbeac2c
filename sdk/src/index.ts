export { ScaledTest, type ClientOptions } from "./client.ts";
export { ApiError } from "./error.ts";
export type * from "./insight.ts";
export { LiveConnection, type LiveOptions, type LiveState } from "./live.ts";
export { comparePositions, isPosition } from "./position.ts";
export type { paths } from "./schema.ts";
export type * from "./types.ts";
export { Exports, type ExportFormat } from "./exports.ts";
