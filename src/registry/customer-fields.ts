/**
 * Declares each field of a customer once. Derived from this table: the types of `Customer` and `CustomerChanges`,
 * length limits, the mapping between rows, events and customers, what a change, an import and an erasure write, the
 * fields of lists, the columns of CSV files, and the JSON documents in the triggers (`scripts/customer-documents.ts`).
 * Wire shapes are contracts, so each API still defines its own.
 *
 * The order of the fields is the order of CSV columns: add a field at the end.
 */
interface CustomerField {
  /** Column in D1. Also the name in the v1 API and in files, unless `v1` names another. */
  column: string
  /** `null`: the v1 API does not show the field. */
  v1?: string | null
  /** Lists filter and sort by all kinds except `json`. An `optionalText` is null when it is unset. */
  kind: 'optionalText' | 'text' | 'number' | 'time' | 'json'
  /** Maximum length in code points. */
  lengthMax?: number
  /** Key in the JSON of an event, or `group.key`. Used for `optionalText` only. */
  document?: string
  /** The stored value of a new customer if the caller sends none. */
  initial?: string
  /** An erasure stores null or `initial`, or keeps the value. For `other`, the SQL of the erasure decides. */
  erased: 'null' | 'initial' | 'kept' | 'other'
}

export const CUSTOMER_FIELDS = {
  id: { column: 'id', kind: 'text', erased: 'kept' },
  externalId: { column: 'external_id', kind: 'text', lengthMax: 255, erased: 'other' },
  name: { column: 'name', kind: 'optionalText', lengthMax: 255, document: 'name', erased: 'null' },
  email: { column: 'email', kind: 'optionalText', lengthMax: 254, document: 'email', erased: 'null' },
  contact: { column: 'contact', kind: 'optionalText', lengthMax: 20, document: 'contact', erased: 'null' },
  addressLine1: address('address_line1', 'address.line1', 255),
  addressLine2: address('address_line2', 'address.line2', 255),
  addressCity: address('address_city', 'address.city', 100),
  addressState: address('address_state', 'address.state', 100),
  addressPostalCode: address('address_postal_code', 'address.postal_code', 20),
  addressCountry: address('address_country', 'address.country', 2),
  timezone: { column: 'timezone', kind: 'text', initial: 'UTC', erased: 'initial' },
  parentId: { column: 'parent_id', v1: 'parent_customer_id', kind: 'text', erased: 'null' },
  status: { column: 'status', kind: 'text', initial: 'published', erased: 'kept' },
  metadata: { column: 'metadata', kind: 'json', initial: '{}', erased: 'initial' },
  integrations: {
    column: 'integrations',
    v1: 'integration_entity_mapping',
    kind: 'json',
    initial: '[]',
    erased: 'initial',
  },
  profile: { column: 'profile', v1: null, kind: 'json', initial: '{}', erased: 'initial' },
  version: { column: 'version', v1: null, kind: 'number', erased: 'kept' },
  createdAtMs: { column: 'created_at', kind: 'time', erased: 'kept' },
  updatedAtMs: { column: 'updated_at', kind: 'time', erased: 'kept' },
  createdBy: { column: 'created_by', kind: 'text', erased: 'kept' },
  updatedBy: { column: 'updated_by', kind: 'text', erased: 'kept' },
} as const satisfies Record<string, CustomerField>

/** Returns the entry of one part of the address, which events store in a group. */
function address<Column extends string, Place extends string>(column: Column, document: Place, lengthMax: number) {
  return { column, kind: 'optionalText', lengthMax, document, erased: 'null' } as const
}

type Fields = typeof CUSTOMER_FIELDS
export type CustomerFieldName = keyof Fields

/** The fields that have a property of one of these types in the table. */
type FieldsWith<Property> = {
  [Name in CustomerFieldName]: Fields[Name] extends Property ? Name : never
}[CustomerFieldName]

export type OptionalTextField = FieldsWith<{ kind: 'optionalText' }>
export type ListField = Exclude<CustomerFieldName, FieldsWith<{ kind: 'json' }>>
type FieldWithInitial = FieldsWith<{ initial: string }>

/** The name of a field in the v1 API, in NDJSON and in CSV; `never` for one that they do not have. */
export type V1Name<Name extends CustomerFieldName> = Fields[Name] extends { v1: infer V1 }
  ? Extract<V1, string>
  : Fields[Name]['column']

export type ListKind<Name extends ListField> = Fields[Name]['kind'] extends 'number' | 'time'
  ? Fields[Name]['kind']
  : 'text'

/** Names of all fields, in the order of the table. */
export const CUSTOMER_FIELD_NAMES = Object.keys(CUSTOMER_FIELDS) as CustomerFieldName[]

const field = (name: CustomerFieldName): CustomerField => CUSTOMER_FIELDS[name]

/** Text fields that may be unset. */
export const OPTIONAL_TEXT_FIELDS = CUSTOMER_FIELD_NAMES.filter(
  (name): name is OptionalTextField => field(name).kind === 'optionalText',
)

/** Fields that an erasure sets to null, and those that it sets to their initial value. */
export const ERASED_TO_NULL = CUSTOMER_FIELD_NAMES.filter((name) => field(name).erased === 'null')
export const ERASED_TO_INITIAL = CUSTOMER_FIELD_NAMES.filter(
  (name): name is FieldWithInitial => field(name).erased === 'initial',
)

/** The kind by which a list compares the values of each field. An optional text compares as text. */
export const LIST_FIELDS = Object.fromEntries(
  CUSTOMER_FIELD_NAMES.filter((name) => field(name).kind !== 'json').map((name) => {
    const { kind } = field(name)
    return [name, kind === 'optionalText' ? 'text' : kind]
  }),
) as { readonly [Name in ListField]: ListKind<Name> }

/** `<field>LengthMax` for each field that has a limit, in code points. */
export const LENGTH_LIMITS = Object.fromEntries(
  CUSTOMER_FIELD_NAMES.flatMap((name) => {
    const { lengthMax } = field(name)
    return lengthMax === undefined ? [] : [[`${name}LengthMax`, lengthMax]]
  }),
) as { readonly [Name in FieldsWith<{ lengthMax: number }> as `${Name}LengthMax`]: number }

/** Returns the name of the field in the v1 API, in NDJSON and in CSV; null if they do not have it. */
export function v1NameOf(name: CustomerFieldName): string | null {
  const { v1, column } = field(name)
  return v1 === undefined ? column : v1
}

/** Returns where an event stores the field: a key, or a group and a key in it. */
export function documentPlaceOf(name: OptionalTextField): { group: string | null; key: string } {
  const { document } = CUSTOMER_FIELDS[name]
  const at = document.indexOf('.')
  return at === -1 ? { group: null, key: document } : { group: document.slice(0, at), key: document.slice(at + 1) }
}

/** Returns an object with a value for each optional text field. */
export function optionalTexts<Value>(valueFor: (name: OptionalTextField) => Value) {
  const values = OPTIONAL_TEXT_FIELDS.map((name) => [name, valueFor(name)])
  return Object.fromEntries(values) as Record<OptionalTextField, Value>
}

/** Returns the named properties of an object. A property that the object lacks is null. */
export function pick<Name extends string, Source extends { [name in Name]: unknown }>(
  source: Source,
  names: readonly Name[],
): Pick<Source, Name> {
  return Object.fromEntries(names.map((name) => [name, source[name] ?? null])) as Pick<Source, Name>
}

type DocumentOf<Name extends OptionalTextField> = Fields[Name]['document']
type GroupOf<Place> = Place extends `${infer Group}.${string}` ? Group : never

/** The optional text fields as an event stores them: with the address as a group. */
export type TextsOfDocument = {
  [Name in OptionalTextField as Exclude<DocumentOf<Name>, `${string}.${string}`>]: string | null
} & {
  [Group in GroupOf<DocumentOf<OptionalTextField>>]: {
    [Name in OptionalTextField as DocumentOf<Name> extends `${Group}.${infer Key}` ? Key : never]: string | null
  }
}
