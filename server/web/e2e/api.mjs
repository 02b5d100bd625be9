// The server's HTTP interface as the signed-in page may call it.

export class Api {
  constructor(page) {
    this.page = page;
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body) {
    return this.call('POST', path, body);
  }

  async call(method, path, body) {
    const answer = await this.send(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.text}`);
    }
    return answer.text === '' ? undefined : JSON.parse(answer.text);
  }

  /** Waits until the server refuses the session. */
  async waitUntilSignedOut() {
    for (let turn = 0; turn < 50; turn += 1) {
      if ((await this.send('GET', '/me')).status === 401) return;
      await this.page.waitForTimeout(100);
    }
    throw new Error('the server still knows the session');
  }

  /** Sent by the page itself, so that the cookie and the origin are the browser's own. */
  send(method, path, body) {
    return this.page.evaluate(
      async ([how, where, what]) => {
        const response = await fetch(`/api/v1${where}`, {
          method: how,
          headers: { 'Content-Type': 'application/json' },
          body: what === undefined ? undefined : JSON.stringify(what),
        });
        return { status: response.status, text: await response.text() };
      },
      [method, path, body],
    );
  }
}
