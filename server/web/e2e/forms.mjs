// Fills forms from what the programme packs say, so that the test knows no programme by heart.

/** A kind that stands for people, and a root kind whose records refer to it. */
export function pickKinds(programmes) {
  const open = programmes.filter((programme) => programme.sealed !== true);
  const roots = open.flatMap(({ kinds }) => kinds.filter((kind) => kind.root && !kind.global));
  for (const person of roots) {
    const isPerson = person.kind === 'person' || /person/i.test(person.name.en);
    const caseKind = roots.find(
      (kind) =>
        kind !== person &&
        /case/i.test(`${kind.kind} ${kind.name.en}`) &&
        kind.fields.some((field) => field.ref?.includes(person.kind)),
    );
    if (isPerson && caseKind) return { person, caseKind };
  }
  throw new Error('no programme has a person and a case that refers to one');
}

/** A text field: one of the title, or one that is not required and may hold any words. */
export function wordField(definition, isTitle) {
  const texts = definition.fields.filter(({ type }) => type === 'text' || type === 'longtext');
  const found = isTitle
    ? texts.find(({ name }) => definition.title.includes(name))
    : (texts.find(({ name, required }) => !required && !definition.title.includes(name)) ??
      texts.find(({ required }) => !required));
  if (found === undefined) throw new Error(`the kind ${definition.kind} has no text to fill`);
  return found;
}

export function fieldsToFill(definition) {
  return definition.fields.filter(({ required }) => required);
}

/** Fills what is required and still empty; `fillReference` is asked for references. */
export async function fillRequired(page, definition, text, fillReference) {
  await page.getByRole('button', { name: 'Save', exact: true }).waitFor();
  for (const field of fieldsToFill(definition)) {
    const control = page.locator(`#field-${field.name}`);
    switch (field.type) {
      case 'text':
      case 'longtext':
        await control.fill(text);
        break;
      case 'date':
        await control.fill('2026-01-15');
        break;
      case 'integer':
        await control.fill(String(field.minimum ?? 1));
        break;
      case 'boolean':
        await control.selectOption('true');
        break;
      case 'code':
        if (field.open) await control.fill(field.codes[0].code);
        else await control.selectOption(field.codes[0].code);
        break;
      case 'codes':
        await control.getByRole('checkbox').first().check();
        break;
      case 'place':
        await control.fill('SY02');
        break;
      case 'ref':
        // A button stands here once something is chosen.
        if ((await control.evaluate((element) => element.tagName)) === 'INPUT') {
          await fillReference(field);
        }
        break;
      default:
        throw new Error(`the field ${field.name} is of the unknown type ${field.type}`);
    }
  }
}
