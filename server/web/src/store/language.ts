import type { Language } from '../api/types';
import { Observable } from './observable';

export const kLanguages: readonly Language[] = ['en', 'fr', 'es', 'ar'];

const kStorageKey = 'waystation.language';

export function asLanguage(tag: string | null | undefined): Language | undefined {
  const primary = tag?.toLowerCase().split('-')[0];
  return kLanguages.find((language) => language === primary);
}

/** The language of the screen: chosen here, else the account's, else the browser's. */
export class LanguageStore {
  readonly language: Observable<Language>;
  private chosen: boolean;

  constructor() {
    const stored = asLanguage(window.localStorage.getItem(kStorageKey));
    const preferred = navigator.languages.map(asLanguage).find((found) => found !== undefined);
    this.chosen = stored !== undefined;
    this.language = new Observable(stored ?? preferred ?? 'en');
    this.language.observe(() => this.show());
    this.show();
  }

  choose(language: Language): void {
    window.localStorage.setItem(kStorageKey, language);
    this.chosen = true;
    this.language.set(language);
  }

  /** Takes the account's language unless the person chose another on this browser. */
  suggest(tag: string | undefined): void {
    const language = asLanguage(tag);
    if (language !== undefined && !this.chosen) this.language.set(language);
  }

  private show(): void {
    const language = this.language.get();
    document.documentElement.lang = language;
    document.documentElement.dir = language === 'ar' ? 'rtl' : 'ltr';
  }
}
