export { ScaledTest } from "./client.js";
export { ApiError } from "./error.js";
export { LiveConnection } from "./live.js";
export { comparePositions, isPosition } from "./position.js";
//# sourceMappingURL=index.js.map