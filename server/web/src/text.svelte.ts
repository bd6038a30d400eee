// Texts in two languages from one pair of flat JSON files, of which only the chosen one is fetched. `{name}` is a placeholder;
// `key.one` and `key.other` are a plural.
import type en from '../i18n/en.json';
import { begun, keepLanguage, texts } from './language';
import type { Language } from './types';

type Texts = typeof en;
/** Every key, so that a misspelt one does not compile. */
export type Key = keyof Texts;
/** Stems of the keys that come in `.one` and `.other`. */
export type PluralKey = Key extends infer K ? (K extends `${infer S}.other` ? S : never) : never;
type Args = Record<string, string | number>;

const FILES: Partial<Record<Language, Record<string, string>>> = {};

class Speech {
  language = $state<Language>('en');
  #wanted: Language = 'en';
  /** The chosen language is here: nothing is drawn before. */
  readonly ready = begun.then(([language, file]) => {
    FILES[language] = file;
    this.language = this.#wanted = language;
  });
  /** BCP 47 tag for `lang` and Intl. */
  get tag() { return this.language === 'zh' ? 'zh-CN' : 'en-GB'; }
  /** Turns to a language as soon as its texts are here; where they cannot be had, the page stays as it is. */
  async use(language: Language): Promise<void> {
    this.#wanted = language;
    try {
      FILES[language] ??= await texts(language);
    } catch {
      if (this.#wanted === language) this.#wanted = this.language;
    }
    if (this.#wanted !== language) return;
    this.language = language;
    keepLanguage(language);
  }
}
export const speech = new Speech();

const text = (key: string): string | undefined => FILES[speech.language]?.[key];

function fill(text: string, args?: Args): string {
  return args ? text.replace(/\{(\w+)\}/g, (all, name: string) => (name in args ? String(args[name]) : all)) : text;
}

export function t(key: Key, args?: Args): string {
  return fill(text(key) ?? key, args);
}

/** A counted phrase: picks `.one` or `.other` by the language's own rule; `{n}` is the number, grouped. */
export function tn(key: PluralKey, n: number, args?: Args): string {
  const form = speech.language === 'en' && n === 1 ? 'one' : 'other';
  return fill(text(`${key}.${form}`) ?? key, { n: count(n), ...args });
}

/** A text whose key is made from a value of the wire (a class, a kind); unknown values are shown as they are. */
export function word(prefix: string, value: string): string {
  return text(`${prefix}.${value}`) ?? value.replaceAll('_', ' ');
}

/** What happens in the course of the work, as it is recorded; else as contracts name that moment. */
export function happening(value: string): string {
  return word(text(`work.${value}`) === undefined ? 'moment' : 'work', value);
}

const formats = new Map<string, Intl.NumberFormat>();
/** A number with grouped thousands and a real minus. */
export function count(n: number, digits = 0): string {
  const key = `${speech.tag}/${digits}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(speech.tag, { maximumFractionDigits: digits })));
  return format.format(n).replace('-', '−');
}

/** A site's name in the page's language, and the other one beside it. */
export function siteName(site: { name: string; name_zh: string }): [string, string] {
  if (speech.language === 'zh' && site.name_zh) return [site.name_zh, site.name === site.name_zh ? '' : site.name];
  return [site.name, site.name === site.name_zh ? '' : site.name_zh];
}
