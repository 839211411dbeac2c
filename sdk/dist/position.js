const SHAPE = /^(\d{1,15})-(\d{1,15})$/;
/** Compares two log positions (`<epoch>-<n>`): negative when `a` is before `b`. An unreadable one is before all others. */
export function comparePositions(a, b) {
    const left = parse(a);
    const right = parse(b);
    return left[0] - right[0] || left[1] - right[1];
}
/** True when the text is a log position. */
export function isPosition(text) {
    return typeof text === "string" && SHAPE.test(text);
}
function parse(text) {
    const match = SHAPE.exec(text);
    return match ? [Number(match[1]), Number(match[2])] : [-1, -1];
}
//# sourceMappingURL=position.js.map