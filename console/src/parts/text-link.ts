/** Classes of a link within a text. */
export const TEXT_LINK = 'text-kumo-link underline underline-offset-2 wrap-anywhere hover:no-underline'
