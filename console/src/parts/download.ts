/** Gives the text to the reader as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has taken the content by then; kept any longer, it would stay in memory until the page is closed.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
