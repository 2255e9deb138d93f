/** Reads the content type of a body (RFC 9110, section 8.3.1). Pure. */

const MEDIA_TYPE = /^([\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+)[ \t]*(?=;|$)/
const PARAMETER = /;[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s;"]*))?[ \t]*/y
/** UTF-8 is the only charset that is read. Clients write its name in two ways. */
const UTF8 = /^utf-?8$/i

interface MediaType {
  /** Lower case, without parameters: `application/json`. */
  type: string
  /** False if a parameter names another charset than UTF-8. */
  isUtf8: boolean
}

/** Returns null if the text is not a media type. */
export function readMediaType(text: string): MediaType | null {
  const match = MEDIA_TYPE.exec(text)
  const type = match?.[1]
  if (!match || type === undefined) return null
  let isUtf8 = true
  for (PARAMETER.lastIndex = match[0].length; PARAMETER.lastIndex < text.length; ) {
    const parameter = PARAMETER.exec(text)
    if (!parameter) return null
    const [, name = '', value = ''] = parameter
    if (name.toLowerCase() === 'charset' && !UTF8.test(value.replaceAll('"', ''))) isUtf8 = false
  }
  return { type: type.toLowerCase(), isUtf8 }
}

/** Returns true if a body of this content type is in UTF-8 and `accepted` matches its type. */
export function isUtf8Of(accepted: RegExp, contentType: string): boolean {
  const read = readMediaType(contentType)
  return read?.isUtf8 === true && accepted.test(read.type)
}

/** Returns whether a content type is one of the accepted ones, whatever its charset. */
export function isTypeOf(accepted: RegExp, contentType: string): boolean {
  const read = readMediaType(contentType)
  return read !== null && accepted.test(read.type)
}
