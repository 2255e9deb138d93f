/** The fields of the FlatPeak API. */
import { type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import { CUSTOMER_ID, TENANT_ID, TIME } from './shared.ts'

const values: FieldDocs = {
  reference_id: field('Your own id of the customer. The v1 API calls it `external_id`.', 'user_12345'),
  personal_details: group('The person.', {
    email: field('The e-mail address.', 'ada@example.com'),
    email_verified: field('Whether you have verified the e-mail address.', true),
    phone: field('The phone number.', '+442071234567'),
    phone_verified: field('Whether you have verified the phone number.', false),
    preferred_locale: field('The language and region of the person, as in BCP 47.', 'en-GB'),
    timezone: field('The time zone, by its name in the IANA database.', 'Europe/London'),
  }),
  postal_address: group('The postal address.', {
    address_line1: field('The street and number.', '1 High Street'),
    address_line2: field('The floor, flat or department.', 'Flat 2'),
    city: field('The city.', 'London'),
    state: field('The state, county or region.', 'Greater London'),
    post_code: field('The postal code.', 'SW1A 1AA'),
    country_code: field('The country, by its two letters of ISO 3166-1.', 'GB'),
  }),
  geo_location: group('The place on the map. It is kept digit for digit.', {
    latitude: field('Decimal degrees from -90 to 90, digit for digit as they were sent.', '51.5074'),
    longitude: field('Decimal degrees from -180 to 180, digit for digit as they were sent.', '-0.1278'),
  }),
  terms_accepted: group('The acceptance of your terms.', {
    terms_accepted: field('Whether the person has accepted the terms.', true),
    terms_accepted_time: field('When the person accepted them, as you sent it.', '2026-01-20T15:00:00Z'),
  }),
  providers: field('The ids of the customer’s providers.', ['prov_1']),
  locations: field('The ids of the customer’s locations.', ['loc_1']),
  devices: field('The ids of the customer’s devices.', ['dev_1']),
}

const LIVE = field('True in live mode, false in test mode.', true)
const OBJECT = field('The kind of this object.')

export const flatpeakSchemas: Record<string, SchemaDoc> = {
  FlatpeakCustomerCreate: {
    description: 'A new customer. Only `reference_id` is required.',
    fields: values,
  },
  FlatpeakCustomerUpdate: {
    description: 'The fields to change. An absent field is kept; null clears a field or a whole group.',
    fields: values,
  },
  FlatpeakCustomer: {
    description: 'A customer. A group is absent if none of its fields is set.',
    fields: {
      ...values,
      id: field('The id of the customer, the same at every API. Treat it as opaque.', CUSTOMER_ID),
      object: OBJECT,
      live_mode: LIVE,
      time_created: field('The time of the creation.', TIME),
      account_id: field('The id of the tenant that owns the customer.', TENANT_ID),
    },
  },
  FlatpeakCustomerReference: {
    description: 'What a caller without the scope `customers:read` gets of the customer that it wrote.',
    fields: {
      id: field('The id of the customer.', CUSTOMER_ID),
      object: OBJECT,
      live_mode: LIVE,
      reference_id: field('Your own id of the customer.', 'user_12345'),
    },
  },
  FlatpeakList: {
    description: 'A page of customers.',
    fields: {
      object: OBJECT,
      url: field('The path of the list.'),
      has_more: field('True if another page follows: send the last id as `starting_after`.', false),
      data: field('The customers of this page.'),
    },
  },
  FlatpeakAccepted: { description: 'The deletion is done.', fields: { message: field('Always `Accepted`.') } },
  FlatpeakToken: {
    description: 'A bearer token, in place of the API key.',
    fields: {
      object: OBJECT,
      live_mode: LIVE,
      bearer_token: field('Send it as `Authorization: Bearer …`.', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln'),
      expires_in: field('How long the token is valid, in seconds.', 3600),
    },
  },
  FlatpeakError: {
    description: 'An error of the FlatPeak API.',
    fields: {
      object: OBJECT,
      live_mode: LIVE,
      type: field('The group of the error.', 'invalid_request'),
      code: field('The kind of error, for programs.', 'invalid_parameter'),
      param: field('The field that is wrong.', 'personal_details.email'),
      message: field('The fault, and how to fix it.', 'personal_details.email is not a valid e-mail address'),
      hint: field(
        'What to do, where the message has fixed words.',
        'There is no such customer in the mode of this key: check the id, and whether the key is for live or test',
      ),
      time_created: field('The time of the error.', TIME),
    },
  },
}
