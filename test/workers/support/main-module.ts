/**
 * Runs before each test file. Every call of an entry point or a Durable Object imports the Worker's main module through vitest,
 * which asks its server twice whether the module is still the same: that costs more than the call. Here it is asked once.
 */
interface ModuleRunner {
  import(id: string, options?: { invalidate?: boolean }): Promise<unknown>
  evaluatedModules: { getModulesByFile(file: string): Set<{ evaluated: boolean; exports: unknown }> | undefined }
}

const { moduleRunner } = (globalThis as unknown as { __vitest_mocker__: { moduleRunner: ModuleRunner } })
  .__vitest_mocker__

if (!Object.hasOwn(moduleRunner, 'import')) {
  const ask = moduleRunner.import.bind(moduleRunner)
  moduleRunner.import = async (id, options) => {
    const [known] = moduleRunner.evaluatedModules.getModulesByFile(id) ?? []
    // Vitest runs the files of the set-up again before each test file, in the same runtime.
    return known?.evaluated && !options?.invalidate ? known.exports : ask(id, options)
  }
}
