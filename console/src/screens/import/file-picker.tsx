/**
 * The place to drop a file, which is also a button for the keyboard.
 */
import { cn } from '@cloudflare/kumo/utils'
import { FileArrowUpIcon } from '@phosphor-icons/react'
import { useState } from 'react'

export function FilePicker({ onPick }: { onPick: (file: File) => void }) {
  const [isOver, over] = useState(false)
  return (
    <label
      className={cn(
        'flex min-h-64 cursor-pointer flex-col items-center justify-center gap-3 rounded-lg border-2 border-dashed p-8 text-center',
        'has-[:focus-visible]:outline-2 has-[:focus-visible]:outline-kumo-brand',
        isOver ? 'border-kumo-brand bg-kumo-tint' : 'border-kumo-line bg-kumo-base hover:bg-kumo-tint/60',
      )}
      onDragOver={(event) => {
        event.preventDefault()
        over(true)
      }}
      onDragLeave={() => over(false)}
      onDrop={(event) => {
        event.preventDefault()
        over(false)
        const [file] = event.dataTransfer.files
        if (file) onPick(file)
      }}
    >
      <FileArrowUpIcon size={40} className="text-kumo-subtle" aria-hidden />
      <span className="text-lg font-medium">Drop a file here, or choose one</span>
      <span className="max-w-prose text-kumo-subtle">
        CSV with a header, or NDJSON. Nothing is sent before you have seen its columns, and nothing is changed before a
        dry run.
      </span>
      <input
        type="file"
        className="sr-only"
        accept=".csv,.tsv,.txt,.ndjson,.jsonl,.json,text/csv"
        aria-label="File of customers"
        onChange={(event) => {
          const [file] = event.target.files ?? []
          event.target.value = ''
          if (file) onPick(file)
        }}
      />
    </label>
  )
}
