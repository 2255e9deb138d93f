/** The experiments, by their numbers. */
import type { AnyExperiment } from '../experiment.ts'
import { analytics } from './analytics.ts'
import { clock } from './clock.ts'
import { hosts } from './hosts.ts'
import { jurisdiction } from './jurisdiction.ts'
import { queries } from './queries.ts'
import { region } from './region.ts'
import { replacement } from './replacement.ts'
import { restore } from './restore.ts'
import { splitter } from './splitter.ts'
import { upload } from './upload.ts'

export const EXPERIMENTS: AnyExperiment[] = [
  splitter,
  analytics,
  region,
  clock,
  replacement,
  upload,
  queries,
  restore,
  hosts,
  jurisdiction,
]
