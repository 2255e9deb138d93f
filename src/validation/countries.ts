/**
 * Countries by their codes: the 249 codes that ISO 3166-1 assigns (as of 2026; the last change was in 2013), and XK, which many systems use for Kosovo.
 */
import type { Fault } from './fault.ts'

const COUNTRY_CODES: ReadonlySet<string> = new Set(
  (
    'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ ' +
    'CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR ' +
    'GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO ' +
    'JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR ' +
    'MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO ' +
    'RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV ' +
    'TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW'
  ).split(' '),
)

/** Codes that people send though they are not assigned, or no longer, with what they mean. */
const OTHER_CODES: Readonly<Record<string, string>> = {
  AN: 'BQ, CW or SX',
  BU: 'MM',
  CS: 'RS or ME',
  DD: 'DE',
  EL: 'GR',
  EN: 'GB',
  EU: 'the code of the country',
  FX: 'FR',
  SU: 'the code of the country of today',
  TP: 'TL',
  UK: 'GB',
  YU: 'the code of the country of today',
  ZR: 'CD',
}

/**
 * Returns the code in upper case, or what is wrong with it. The letters are checked before their case is changed,
 * because the upper case of `ß` is SS, which is South Sudan.
 */
export function readCountry(text: string): string | Fault {
  const code = /^[A-Za-z]{2}$/.test(text) ? text.toUpperCase() : ''
  if (COUNTRY_CODES.has(code)) return code
  const fix = `send ${OTHER_CODES[code] ?? 'two letters of ISO 3166-1 alpha-2, such as US, GB or CA'}`
  return { message: 'is not a country code of ISO 3166-1 alpha-2', fix }
}
