import type { Language } from '../api/types';
import { ar } from './ar';
import { en } from './en';
import { es } from './es';
import { fr } from './fr';

/** A text whose form depends on {count}; the categories are those of Unicode CLDR. */
export interface Plural {
  readonly zero?: string;
  readonly one?: string;
  readonly two?: string;
  readonly few?: string;
  readonly many?: string;
  readonly other: string;
}

export type Text = string | Plural;

export type MessageKey = keyof typeof en;

/** Every language has every text: a missing or a superfluous key fails the build. */
export type Messages = Readonly<Record<MessageKey, Text>>;

export type Parameters = Readonly<Record<string, string | number>>;

export const kMessages: Readonly<Record<Language, Messages>> = { en, fr, es, ar };

/** The names of the languages, each in itself. */
export const kLanguageNames: Readonly<Record<Language, string>> = {
  en: 'English',
  fr: 'Français',
  es: 'Español',
  ar: 'العربية',
};

/** Texts, numbers and times in one language. */
export class Translator {
  readonly language: Language;
  private readonly plurals: Intl.PluralRules;
  private readonly numbers: Intl.NumberFormat;
  private readonly moments: Intl.DateTimeFormat;
  private readonly hours: Intl.DateTimeFormat;
  private readonly days: Intl.DateTimeFormat;
  private readonly distances: Intl.RelativeTimeFormat;

  constructor(language: Language) {
    this.language = language;
    // Day before month, as in most of the countries where the offices are.
    const region = language === 'en' ? 'en-GB' : language;
    this.plurals = new Intl.PluralRules(language);
    this.numbers = new Intl.NumberFormat(region, { maximumFractionDigits: 1 });
    this.moments = new Intl.DateTimeFormat(region, { dateStyle: 'medium', timeStyle: 'short' });
    // A date of birth is a day on the calendar, the same in every time zone.
    this.hours = new Intl.DateTimeFormat(region, { timeStyle: 'short' });
    this.days = new Intl.DateTimeFormat(region, { dateStyle: 'medium', timeZone: 'UTC' });
    this.distances = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  }

  text(key: MessageKey, parameters: Parameters = {}): string {
    const message: Text = kMessages[this.language][key];
    return this.form(message, parameters).replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = parameters[name];
      if (value === undefined) return whole;
      return typeof value === 'number' ? this.number(value) : value;
    });
  }

  number(value: number): string {
    return this.numbers.format(value);
  }

  /** A point in time, in the browser's time zone. */
  moment(at: string): string {
    const time = new Date(at);
    return Number.isNaN(time.getTime()) ? at : this.moments.format(time);
  }

  /** The time of day, in the browser's time zone. */
  timeOfDay(time: Date): string {
    return this.hours.format(time);
  }

  /** A day, given as YYYY-MM-DD. */
  day(date: string): string {
    const time = new Date(`${date}T00:00:00Z`);
    return Number.isNaN(time.getTime()) ? date : this.days.format(time);
  }

  /** "2 minutes ago", seen from now. */
  ago(at: string, now: number): string {
    const seconds = Math.min(0, Math.round((new Date(at).getTime() - now) / 1000));
    if (Number.isNaN(seconds)) return at;
    if (seconds > -60) return this.distances.format(0, 'minute').trim();
    if (seconds > -3600) return this.distances.format(Math.ceil(seconds / 60), 'minute');
    if (seconds > -86_400) return this.distances.format(Math.ceil(seconds / 3600), 'hour');
    return this.distances.format(Math.ceil(seconds / 86_400), 'day');
  }

  /** A number of bytes in words that people use. */
  bytes(count: number): string {
    if (count < 1000) return this.text('size.bytes', { count });
    if (count < 1_000_000) return this.text('size.kilobytes', { count: count / 1000 });
    return this.text('size.megabytes', { count: count / 1_000_000 });
  }

  list(items: readonly string[]): string {
    return items.join(this.language === 'ar' ? '، ' : ', ');
  }

  private form(message: Text, parameters: Parameters): string {
    if (typeof message === 'string') return message;
    const count = Number(parameters['count'] ?? 0);
    return message[this.plurals.select(count)] ?? message.other;
  }
}
