import type { ApiProblem } from '../api/problem';
import type { FieldValue, KindDefinition } from '../api/types';
import type { MessageKey, Translator } from '../i18n/text';
import { inLanguage } from '../store/programmes';
import { isEmpty } from './values';

/** What is wrong, by field; under '' what is about the whole. */
export type Complaints = Readonly<Record<string, string>>;

const kByStatus: Readonly<Record<number, MessageKey>> = {
  403: 'problem.forbidden',
  404: 'problem.missing',
  429: 'problem.busy',
  503: 'problem.busy',
};

/** The problem as a plain sentence: the server's own where it gave one. */
export function problemText(problem: ApiProblem, translator: Translator): string {
  if (problem.code === 'unreachable') return translator.text('problem.unreachable');
  if (problem.detail !== '') return problem.detail;
  return translator.text(kByStatus[problem.status] ?? 'problem.server');
}

/** The same for a save, where silence leaves it open what happened. */
export function saveProblemText(problem: ApiProblem, translator: Translator): string {
  if (problem.code === 'unreachable' || problem.code === 'unreadable_answer') {
    return translator.text('problem.saveUnknown');
  }
  return `${translator.text('problem.notSaved')} ${problemText(problem, translator)}`;
}

// Refusals of a value name the field in their sentence: The field "given_name" must be ...
const kNamedField = /\bfield "([^"]+)"/;

/** A refused save, put to the field that it is about; the names of fields become their labels. */
export function complaintsOf(
  problem: ApiProblem,
  definition: KindDefinition,
  translator: Translator,
): Complaints {
  const named = problem.field ?? kNamedField.exec(problem.detail)?.[1];
  const field = definition.fields.find((each) => each.name === named);
  if (field === undefined) return { '': saveProblemText(problem, translator) };
  const label = inLanguage(field.label, translator.language);
  const text = problemText(problem, translator).replaceAll(`"${field.name}"`, `“${label}”`);
  return { '': translator.text('problem.notSaved'), [field.name]: text };
}

/** What can be seen to be missing or mistyped before asking the server, which has the last word. */
export function complaintsBefore(
  definition: KindDefinition,
  fields: Readonly<Record<string, FieldValue>>,
  translator: Translator,
): Complaints {
  const found: Record<string, string> = {};
  for (const field of definition.fields) {
    const value = fields[field.name];
    if (field.required && isEmpty(value)) found[field.name] = translator.text('problem.required');
    if (field.type === 'integer' && typeof value === 'string' && value !== '') {
      found[field.name] = translator.text('problem.integer');
    }
  }
  if (Object.keys(found).length > 0) found[''] = translator.text('problem.fields');
  return found;
}
