/** What the tests add to the bindings of wrangler.toml. */
declare namespace Cloudflare {
  interface Env {
    /** Of the environment that started the tests, for longer runs and for the seed of a failure; empty when not given. */
    MODEL_RUNS: string
    MODEL_SEED: string
    TEST_MIGRATIONS: import('cloudflare:test').D1Migration[]
  }
}
