/**
 * The columns of the file with samples, and which field each one is.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { LINE_FIELD_NAMES } from '../../../../src/formats/files/columns.ts'
import { fieldLabel } from '../../lib/changes.ts'
import { columnProblems, type GuessedColumn, metadataField } from '../../lib/column-guess.ts'
import { Choice } from '../../parts/choice.tsx'
import { List } from '../../parts/list.tsx'

interface Props {
  columns: readonly GuessedColumn[]
  onMap: (name: string, field: string | null) => void
}

const LEFT_OUT = ''

export function ColumnTable({ columns, onMap }: Props) {
  const problems = columnProblems(columns)
  const problemOf = (name: string) => problems.find(({ field }) => field === name)
  const others = problems.filter(({ field }) => !columns.some(({ name }) => name === field))
  return (
    <>
      <p className="mb-3 text-kumo-subtle">
        Which column is which field? Guesses are marked: look at them. An empty cell leaves a field as it is.
      </p>
      {others.map(({ field, message, fix }) => (
        <p key={field} role="alert" className="mb-3 rounded-md bg-kumo-warning-tint p-3">
          <code className="font-mono">{field}</code> {message}.{' '}
          {field === 'external_id' ? 'Choose the column by which your other systems know a customer.' : fix}
        </p>
      ))}
      <div className="-mx-4">
        <List
          label="Columns"
          rows={columns}
          rowKey={({ name }) => name}
          columns={[
            {
              head: 'Column',
              isTitle: true,
              cell: ({ name, by }) => (
                <span className="inline-flex items-center gap-2">
                  <span className="font-medium break-all">{name || '(no name)'}</span>
                  {by === 'guess' && <Badge variant="outline">guess</Badge>}
                </span>
              ),
            },
            {
              head: 'Samples',
              cell: ({ samples }) => (
                <span className="block max-w-80 truncate text-kumo-subtle" dir="auto">
                  {samples.length === 0 ? '–' : samples.join(' · ')}
                </span>
              ),
            },
            {
              head: 'Field',
              cell: ({ name, field }) => {
                const problem = problemOf(name)
                return (
                  <Choice
                    label={`Field of ${name}`}
                    hideLabel
                    value={field ?? LEFT_OUT}
                    options={optionsFor(name, field)}
                    error={problem && `${problem.message}: choose another field, or leave one out`}
                    onChange={(value) => onMap(name, value === LEFT_OUT ? null : value)}
                    className="w-64 max-w-full"
                  />
                )
              },
            },
          ]}
        />
      </div>
    </>
  )
}

function optionsFor(name: string, field: string | null): (readonly [string, string])[] {
  const own = metadataField(name)
  const fields = new Set([...LINE_FIELD_NAMES, own, ...(field === null ? [] : [field])])
  return [[LEFT_OUT, 'Leave it out'] as const, ...[...fields].map((each) => [each, labelOf(each)] as const)]
}

function labelOf(field: string): string {
  return field.startsWith('metadata.') ? field : `${fieldLabel(field)} (${field})`
}
