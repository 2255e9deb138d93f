/** Globals of workerd that code under test names and Node lacks. The models never call them. */
declare const scheduler: { wait(ms: number): Promise<void> }
/** Node has the class of this name as a value only. */
type CryptoKey = import('node:crypto').webcrypto.CryptoKey
