// The texts of the chosen language, which every page needs before it can draw anything. A script of its own, small and
// before the others: the texts are on their way while those are still being fetched and read.
import en from '../i18n/en.json?url';
import zh from '../i18n/zh.json?url';
import type { Language } from './types';

const FILES: Record<Language, string> = { en, zh };
const STORE = 'sitewarden.language';
type Texts = Record<string, string>;

/** The language that this browser was last turned to, else the one that it asks for. */
function chosen(): Language {
  const kept = localStorage.getItem(STORE);
  if (kept === 'en' || kept === 'zh') return kept;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}
/** What this browser is turned to from now on. */
export const keepLanguage = (language: Language) => localStorage.setItem(STORE, language);

/** Fetches a language's texts. */
export async function texts(language: Language): Promise<Texts> {
  const response = await fetch(FILES[language]);
  if (!response.ok) throw new Error(`${FILES[language]}: ${response.status}`);
  return (await response.json()) as Texts;
}
/** The chosen language with its texts; the other one where they cannot be had. */
async function begin(): Promise<[Language, Texts]> {
  const language = chosen();
  try {
    return [language, await texts(language)];
  } catch {
    const other = language === 'zh' ? 'en' : 'zh';
    return [other, await texts(other)];
  }
}
export const begun = begin();
begun.catch(() => {
  // Nothing can be drawn without texts, so this is said in both languages and in none of the files.
  document.body.textContent = 'The texts of this page could not be fetched. Reload it. · 未能取得本页文字，请刷新。';
});
