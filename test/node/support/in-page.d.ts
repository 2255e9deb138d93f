/**
 * Globals of the functions that a test hands to a page: they run in the browser. TypeScript's own types of browsers disagree
 * with those of workerd about other globals.
 */
// biome-ignore lint/suspicious/noExplicitAny: a browser's objects, of many shapes
declare const document: any
// biome-ignore lint/suspicious/noExplicitAny: a browser's objects, of many shapes
declare const window: any
