/** Compares two log positions (`<epoch>-<n>`): negative when `a` is before `b`. An unreadable one is before all others. */
export declare function comparePositions(a: string, b: string): number;
/** True when the text is a log position. */
export declare function isPosition(text: unknown): text is string;
