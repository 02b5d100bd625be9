// Drives the client in headless Chromium against a running server:
//   node e2e/run.mjs --url https://127.0.0.1:PORT --user U --password-file F [--screenshots DIR]
//     [--office-url https://127.0.0.1:PORT --technician U --technician-password-file F]
// Prints a line per step and at last "N passed, M failed"; exits 0 if none failed, 1 if any did,
// 2 on wrong usage. The account must be allowed to write persons and cases, and to lock the server,
// which is what it does last. The technician is one of an office, and lets a phone join there.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { Api } from './api.mjs';
import { fieldsToFill, fillRequired, pickKinds, wordField } from './forms.mjs';

const kUsage =
  'usage: node e2e/run.mjs --url URL --user NAME --password-file FILE [--chromium PATH] [--screenshots DIR]';
const kChromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
// Far more than a busy machine needs; a step that hangs ends all the same.
const kPatienceMilliseconds = 20_000;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        url: { type: 'string' },
        user: { type: 'string' },
        'password-file': { type: 'string' },
        'office-url': { type: 'string' },
        technician: { type: 'string' },
        'technician-password-file': { type: 'string' },
        chromium: { type: 'string', default: '/usr/bin/chromium' },
        screenshots: { type: 'string' },
      },
    });
    if (values.url && values.user && values['password-file']) return values;
  } catch (error) {
    console.error(error.message);
  }
  console.error(kUsage);
  process.exit(2);
}

function check(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

class Story {
  constructor(page, options, password) {
    this.page = page;
    this.options = options;
    this.password = password;
    this.api = new Api(page);
    this.token = `Zq${Date.now().toString(36)}`;
    this.complaints = [];
  }

  async enter(page, url, user, password) {
    await page.goto(url);
    await page.locator('#language').selectOption('en');
    await page.getByLabel('User name').fill(user);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('search').waitFor();
  }

  async signIn() {
    const { page, options } = this;
    await this.enter(page, options.url, options.user, this.password);
    Object.assign(this, pickKinds(await this.api.get('/programmes')));
  }

  async save() {
    await this.page.getByRole('button', { name: 'Save', exact: true }).click();
  }

  /** The id of the record that is shown, once its page is there. */
  async shownRecord() {
    await this.page.waitForURL(/\/records\/[^/]+$/);
    await this.page.getByRole('button', { name: 'Edit' }).waitFor();
    return new URL(this.page.url()).pathname.split('/').pop();
  }

  async registerPerson() {
    const { page, person, token } = this;
    await page.getByRole('link', { name: `New: ${person.name.en}` }).first().click();
    await fillRequired(page, person, token);
    await page.locator(`#field-${wordField(person, true).name}`).fill(token);
    await this.save();
    this.personId = await this.shownRecord();
    const record = await this.api.get(`/records/${this.personId}`);
    check(JSON.stringify(record.fields).includes(token), 'the server does not hold the person');
  }

  async findPerson() {
    const { page, token } = this;
    await page.getByRole('link', { name: 'Find', exact: true }).click();
    await page.getByRole('searchbox').fill(token);
    await page.locator(`.row a[href="/records/${this.personId}"]`).click();
    check((await this.shownRecord()) === this.personId, 'another record was opened');
    await page.getByRole('heading', { level: 1 }).getByText(token).waitFor();
  }

  async editShown(definition, id, text) {
    const { page } = this;
    const field = wordField(definition, false);
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.locator(`#field-${field.name}`).fill(text);
    await this.save();
    await page.getByText(/^Saved at/).waitFor();
    const record = await this.api.get(`/records/${id}`);
    check(record.fields[field.name] === text, `the server holds another ${field.name}`);
    await page.locator('dd', { hasText: text }).first().waitFor();
  }

  async editPerson() {
    await this.editShown(this.person, this.personId, `${this.token} edited`);
  }

  async seeDurability() {
    const line = this.page.locator('main .durability').first();
    const text = await line.textContent();
    check(/At (this office|headquarters)/.test(text), `the record says "${text}"`);
  }

  async openCase() {
    const { page, caseKind, person, token } = this;
    const open = page.getByRole('link', { name: `Open: ${caseKind.name.en}`, exact: true });
    await open.click();
    await fillRequired(page, caseKind, token, async (field) => {
      await page.locator(`#field-${field.name}`).fill(token);
      await page.locator('.hit').first().click();
    });
    for (const field of fieldsToFill(caseKind)) {
      check(field.type !== 'ref' || field.ref.includes(person.kind), `cannot fill ${field.name}`);
    }
    await this.save();
    this.caseId = await this.shownRecord();
    const record = await this.api.get(`/records/${this.caseId}`);
    check(
      JSON.stringify(record.fields).includes(`urn:uuid:${this.personId}`),
      'the case does not refer to the person',
    );
  }

  async editCase() {
    await this.editShown(this.caseKind, this.caseId, `${this.token} case`);
  }

  /** A picture of several parts, as the browser itself would encode one. */
  async drawPhoto() {
    const base64 = await this.page.evaluate(async () => {
      const canvas = document.createElement('canvas');
      canvas.width = 640;
      canvas.height = 480;
      const context = canvas.getContext('2d');
      for (let y = 0; y < 480; y += 4) {
        for (let x = 0; x < 640; x += 4) {
          context.fillStyle = `hsl(${(x * 7 + y * 13) % 360} 60% ${30 + ((x ^ y) % 40)}%)`;
          context.fillRect(x, y, 4, 4);
        }
      }
      return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];
    });
    return Buffer.from(base64, 'base64');
  }

  async attachPhoto() {
    const { page, caseId } = this;
    const photo = await this.drawPhoto();
    const name = `${this.token} camp.jpg`;
    await page.goto(`${this.options.url}/records/${caseId}`);
    await page
      .getByLabel('Add files')
      .setInputFiles({ name, mimeType: 'image/jpeg', buffer: photo });
    await page.getByRole('link', { name }).waitFor();
    const [file] = (await this.api.get(`/files?root=${caseId}`)).files;
    check(file.size === photo.length && file.here, 'the server does not hold the photo');
    check(file.chunks > 1, 'the photo is too small to go in parts');
    const row = page.locator('.file', { hasText: name });
    await row.locator('img').waitFor();
    const width = await row.locator('img').evaluate(async (image) => {
      await image.decode();
      return image.naturalWidth;
    });
    check(width === 240, `the small picture is ${width} pixels wide`);
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name }).click();
    const saved = await readFile(await (await download).path());
    check(saved.equals(photo), 'what was saved is not the photo');
  }

  async warnOfLeaving() {
    const { page, caseKind } = this;
    const field = wordField(caseKind, false);
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.locator(`#field-${field.name}`).fill('never saved');
    await page.getByRole('link', { name: 'Find', exact: true }).click();
    await page.getByRole('button', { name: 'Stay and go on editing' }).click();
    await page.goBack();
    await page.getByRole('button', { name: 'Stay and go on editing' }).click();
    check((await page.locator(`#field-${field.name}`).inputValue()) === 'never saved', 'it is gone');
    await page.getByRole('link', { name: 'Find', exact: true }).click();
    await page.getByRole('button', { name: 'Leave without saving' }).click();
    await page.getByRole('search').waitFor();
    const record = await this.api.get(`/records/${this.caseId}`);
    check(record.fields[field.name] !== 'never saved', 'what was given up was saved');
  }

  /** Two saves on the same state: neither has seen the other. */
  async makeConflict() {
    const { api, personId: id, person } = this;
    const field = wordField(person, false);
    this.values = [`${this.token} left`, `${this.token} right`];
    const { tag: seen, kind } = await api.get(`/records/${id}`);
    for (const value of this.values) {
      const edit = { record: id, kind, fields: { [field.name]: value }, seen };
      await api.post('/changes', { edits: [edit] });
    }
    const siblings = (await api.get(`/records/${id}`)).conflicts?.[field.name] ?? [];
    const held = siblings.map((sibling) => sibling.value).sort();
    check(held.join() === [...this.values].sort().join(), `the server holds ${held.join(' and ')}`);
  }

  async settleConflict() {
    const { page, api, personId: id, person, values } = this;
    const field = wordField(person, false);
    await page.getByRole('link', { name: /^Conflicts/ }).click();
    const card = page.locator('section.card', { has: page.locator(`a[href="/records/${id}"]`) });
    for (const value of values) await card.locator('.version', { hasText: value }).waitFor();
    await card.locator('.version', { hasText: values[0] }).getByRole('radio').check();
    await card.getByRole('button', { name: 'Settle with this choice' }).click();
    await card.waitFor({ state: 'detached' });
    const record = await api.get(`/records/${id}`);
    check(record.conflicts?.[field.name] === undefined, 'the conflict is still there');
    check(record.fields[field.name] === values[0], 'another value was taken');
  }

  async readHistory() {
    const { page, values } = this;
    await page.goto(`${this.options.url}/records/${this.personId}`);
    await page.getByRole('link', { name: 'History' }).click();
    for (const value of values) await page.locator('ol', { hasText: value }).waitFor();
  }

  async seeLink() {
    const { page } = this;
    await page.locator('header .badge').click();
    const { state } = await this.api.get('/sync');
    const words = { connected: /Connected/, offline: /no/, paused: /hold/, hub: /headquarters/ };
    await page.locator('.lead', { hasText: words[state] }).waitFor();
  }

  async fitPhone() {
    const { page } = this;
    await page.setViewportSize({ width: 320, height: 640 });
    for (const path of ['/', `/records/${this.caseId}`, '/conflicts', '/link']) {
      await page.goto(this.options.url + path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      check(width <= 320, `${path} is ${width} pixels wide on a screen of 320`);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  }

  async turnRound() {
    const { page } = this;
    await page.locator('.menu summary').click();
    await page.locator('#language').selectOption('ar');
    await page.locator('html[dir=rtl][lang=ar]').waitFor();
    await page.locator('#language').selectOption('en');
    await page.locator('html[dir=ltr][lang=en]').waitFor();
  }

  async signOut() {
    const { page } = this;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('User name').waitFor();
    await this.api.waitUntilSignedOut();
    check((await page.locator('.row').count()) === 0, 'records are still on the screen');
  }

  /** At an office, in a window of its own: the code that a phone's camera reads. */
  async letPhoneJoin() {
    const { options } = this;
    const url = options['office-url'];
    if (url === undefined) return;
    const page = await this.page.context().newPage();
    await this.enter(page, url, options.technician, this.technicianPassword);
    await page.getByRole('link', { name: 'Phones' }).click();
    const office = (await page.locator('header .office').textContent()).trim();
    await page.getByLabel('Name of the phone').fill('elsewhere-p1');
    await page.getByRole('button', { name: 'Make the code' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Name of the phone').fill(`${office}-p1`);
    await page.getByRole('button', { name: 'Make the code' }).click();
    await page.getByRole('img', { name: `${office}-P1 joins` }).waitFor();
    const token = (await page.locator('.token').textContent()).trim();
    const words = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    check(words.office === `${office}-P1` && words.hq === office, `it is for ${words.office}`);
    await page.setViewportSize({ width: 320, height: 640 });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    check(width <= 320, `it is ${width} pixels wide on a screen of 320`);
    if (options.screenshots) {
      await page.screenshot({ path: join(options.screenshots, 'phone-320.png'), fullPage: true });
      await page.setViewportSize({ width: 1280, height: 1000 });
      await page.screenshot({ path: join(options.screenshots, 'phone.png'), fullPage: true });
    }
    await page.close();
  }

  /** The last deed of all: what answers from then on is the locked server. */
  async lockServer() {
    const { page } = this;
    await this.signIn();
    await page.locator('.menu summary').click();
    await page.getByRole('button', { name: 'Lock the server' }).click();
    await page.getByRole('button', { name: 'Do not lock' }).click();
    await this.api.get('/me');
    await page.getByRole('button', { name: 'Lock the server' }).click();
    await page.getByRole('button', { name: 'Lock now' }).click();
    await page.getByRole('heading', { name: / is locked/ }).waitFor();
    const answer = await page.request.get(`${this.options.url}/api/v1/me`);
    check(answer.status() === 503, `it answers with ${answer.status()}`);
  }

  async haveNoComplaints() {
    check(this.complaints.length === 0, this.complaints.join('; '));
  }
}

const kSteps = [
  ['signs in', 'signIn'],
  ['registers a person', 'registerPerson'],
  ['finds and opens the person', 'findPerson'],
  ['edits and saves the person', 'editPerson'],
  ['says where the record stands', 'seeDurability'],
  ['opens a case for the person', 'openCase'],
  ['edits and saves the case', 'editCase'],
  ['attaches a photo, shows it small and saves it byte for byte', 'attachPhoto'],
  ['warns before unsaved edits are lost', 'warnOfLeaving'],
  ['keeps both values of edits made apart', 'makeConflict'],
  ['shows both values and settles with one', 'settleConflict'],
  ['shows the history', 'readHistory'],
  ['shows the state of the link', 'seeLink'],
  ['fits a screen 320 pixels wide', 'fitPhone'],
  ['turns round for Arabic', 'turnRound'],
  ['signs out', 'signOut'],
  ['lets a phone join an office by a QR code', 'letPhoneJoin'],
  ['locks the server, which then shows that it is locked', 'lockServer'],
  ['broke no rule of the content policy and threw no error', 'haveNoComplaints'],
];

async function run(story, screenshots) {
  let failed = 0;
  for (const [index, [name, step]] of kSteps.entries()) {
    try {
      await story[step]();
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error.message.split('\n').slice(0, 4).join(' ')}`);
      // Nothing else can be told apart from a sign-in page.
      if (index === 0) failed = kSteps.length;
    }
    if (screenshots) {
      await story.page.screenshot({ path: join(screenshots, `${index + 1}-${step}.png`) });
    }
    if (failed === kSteps.length) break;
  }
  console.log(`${kSteps.length - failed} passed, ${failed} failed`);
  return failed;
}

const options = readOptions();
options.url = options.url.replace(/\/+$/, '');
const readPassword = async (file) => (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
const password = await readPassword(options['password-file']);
if (options.screenshots) await mkdir(options.screenshots, { recursive: true });
const browser = await chromium.launch({
  executablePath: options.chromium,
  args: kChromiumArguments,
});
// The server's certificate comes from an authority of its own.
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' });
context.setDefaultTimeout(kPatienceMilliseconds);
const story = new Story(await context.newPage(), options, password);
if (options['office-url']) {
  story.technicianPassword = await readPassword(options['technician-password-file']);
}
story.page.on('pageerror', (error) => story.complaints.push(error.message));
story.page.on('console', (message) => {
  const text = message.text();
  if (message.type() === 'error' && /policy/i.test(text)) story.complaints.push(text);
});
const failed = await run(story, options.screenshots);
await browser.close();
process.exit(failed === 0 ? 0 : 1);
