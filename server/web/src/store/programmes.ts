import type {
  FieldDefinition,
  KindDefinition,
  Language,
  Localized,
  Programme,
} from '../api/types';

export interface KnownKind {
  readonly programme: Programme;
  readonly definition: KindDefinition;
}

export interface Section {
  readonly title: string;
  readonly fields: readonly FieldDefinition[];
}

/** The text in the language, else in English, else in whichever there is. */
export function inLanguage(text: Localized | undefined, language: Language): string {
  if (text === undefined) return '';
  return text[language] ?? text.en ?? Object.values(text)[0] ?? '';
}

/** What the programme packs say, and the only place that the screens learn it from. */
export class Programmes {
  readonly all: readonly Programme[];
  private readonly kinds = new Map<string, KnownKind>();

  constructor(all: readonly Programme[]) {
    this.all = all;
    for (const programme of all) {
      for (const definition of programme.kinds) {
        if (!this.kinds.has(definition.kind)) {
          this.kinds.set(definition.kind, { programme, definition });
        }
      }
    }
  }

  find(kind: string): KnownKind | undefined {
    return this.kinds.get(kind);
  }

  field(kind: string, name: string): FieldDefinition | undefined {
    return this.find(kind)?.definition.fields.find((field) => field.name === name);
  }

  rootKinds(): readonly KnownKind[] {
    return [...this.kinds.values()].filter((known) => known.definition.root);
  }

  /** Kinds whose records may stand under a root of the given kind. */
  kindsUnder(kind: string): readonly KnownKind[] {
    if (this.find(kind)?.definition.root !== true) return [];
    return [...this.kinds.values()].filter(
      ({ definition }) =>
        !definition.root && (definition.parents === undefined || definition.parents.includes(kind)),
    );
  }

  /** Root kinds with a field that may refer to records of the given kind, with that field. */
  rootsReferringTo(kind: string): readonly (KnownKind & { readonly field: FieldDefinition })[] {
    return this.rootKinds().flatMap((known) => {
      const field = known.definition.fields.find((each) => each.ref?.includes(kind));
      return field === undefined ? [] : [{ ...known, field }];
    });
  }
}

/** A kind's fields by section, in the pack's order; those without a section come first. */
export function sectionsOf(definition: KindDefinition, language: Language): readonly Section[] {
  const within = (section: string | undefined) =>
    definition.fields.filter((field) => field.section === section);
  const named = (definition.sections ?? []).map(({ section, label }) => ({
    title: inLanguage(label, language),
    fields: within(section),
  }));
  return [{ title: '', fields: within(undefined) }, ...named].filter(
    (section) => section.fields.length > 0,
  );
}
