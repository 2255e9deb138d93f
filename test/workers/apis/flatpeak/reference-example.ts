/** The `x-examples` of the reference document of FlatPeak's customers, verbatim. */
export const DOCUMENT_EXAMPLE = {
  reference_id: 'ABC1234567890',
  personal_details: {
    email: 'user@example.com',
    email_verified: true,
    phone: '440123456789',
    phone_verified: true,
    preferred_locale: 'EN',
    timezone: 'Etc/UTC',
  },
  postal_address: {
    address_line1: '123',
    address_line2: 'Infinite Drive',
    city: 'London',
    state: 'Greater London',
    post_code: 'SE110AA',
    country_code: 'GB',
  },
  geo_location: { latitude: '-77.52907766250239', longitude: '167.1522246611749' },
  terms_accepted: { terms_accepted: true, terms_accepted_time: 'string' },
  providers: ['prv_37ef12d765d0403e8745c29b29826d69'],
  locations: ['loc_5de9bad5d97b49a1b7382f2c0cec9799', 'loc_b84526631dc54037940b75d3cb5971de'],
  devices: [
    'dev_021ff68976894b73b62ec1d71cd6bb7b',
    'dev_458dc1492183456696fa3e42ab246a1e',
    'dev_fe23b2eeec81413bb305e676a7e63558',
  ],
}
