/** A file as its text. */
declare module '*?raw' {
  const text: string
  export default text
}

/** The bindings that tests have beside those of wrangler.toml. */
declare namespace Cloudflare {
  interface Env {
    /** From the environment that started the tests, for longer runs and for the seed of a failure; empty by default. */
    MODEL_RUNS: string
    MODEL_SEED: string
    /** The further databases of the tests in `databases`. Missing in all others. */
    DB_1?: D1Database
    DB_2?: D1Database
    TEST_MIGRATIONS: import('cloudflare:test').D1Migration[]
  }
}

/** The text of a file. */
declare module '*?raw' {
  const text: string
  export default text
}
