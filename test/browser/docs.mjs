// What a person does with the page at /docs, in a headless Chromium.
//
// DIGATE is the URL of a `digate dev`, SERVE that of a `digate serve --docs`, CHROMIUM the
// browser, PACKAGES the folder of the packages, and PICTURES a folder for screenshots.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const { DIGATE, SERVE, CHROMIUM, PACKAGES, PICTURES } = process.env;
const require = createRequire(join(PACKAGES, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const wide = { width: 1280, height: 900 };
const phone = { width: 360, height: 740 };
const patience = 60_000;
const nobody = '00000000-0000-4000-8000-00000000dead';

let browser;
before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'], timeout: patience });
});
after(() => browser.close());

// visit opens the page, hands it to a function, and then fails if the browser complained,
// if a request failed, or if one went to another host. A browser also complains of each
// response of the statuses in refused.
const visit = async ({ at = DIGATE, viewport = wide, colorScheme = 'light', refused = [] }, use) => {
  const context = await browser.newContext({ viewport, colorScheme, isMobile: viewport === phone, hasTouch: viewport === phone });
  const complaints = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !refused.some((status) => message.text().includes(`a status of ${status}`))) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${at}/`) && !request.url().startsWith('data:')) complaints.push(`a request to ${request.url()}`);
    });
    await page.goto(`${at}/docs`);
    await page.locator('.opblock').first().waitFor();
    await use(page);
  } finally {
    await context.close();
  }
  assert.deepEqual(complaints, []);
};

// operation opens an operation, unless the address says that it is open, and returns what a
// person does with it.
const operation = async (page, id) => {
  const block = page.locator(`[id$="-${id}"].opblock`);
  const summary = block.locator('.opblock-summary-control');
  if ((await summary.getAttribute('aria-expanded')) === 'false') await summary.click();
  await block.locator('.try-out__btn').click();
  const field = (name) => block.locator(`tr[data-param-name="${name}"]`);
  return {
    block,
    fill: (name, value) => field(name).locator('input').fill(value),
    pick: (name, label) => field(name).locator('.examples-select-element').selectOption({ label }),
    value: (name) => field(name).locator('input').inputValue(),
    body: (value) => block.locator('textarea.body-param__text').fill(JSON.stringify(value)),
    send: async () => {
      const [response] = await Promise.all([page.waitForResponse(/\/v1\//), block.locator('.execute').click()]);
      const table = block.locator('.live-responses-table');
      await table.locator('.response-col_status', { hasText: String(response.status()) }).waitFor();
      return {
        request: response.request(),
        status: response.status(),
        body: await table.locator('.highlight-code code').first().innerText(),
        headers: await table.locator('.headerline').allInnerTexts(),
      };
    },
  };
};

// barriers returns what keeps people from using the page as it is: what axe finds serious
// or critical.
const barriers = async (page) => {
  const results = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations'] })`);
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`));
};

const picture = (page, name, options = {}) => page.screenshot({ path: join(PICTURES, `${name}.png`), ...options });

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('the page shows every operation of the document', () =>
  visit({}, async (page) => {
    const { paths } = await (await fetch(`${DIGATE}/openapi.json`)).json();
    const documented = Object.values(paths).flatMap(Object.values).map(({ operationId }) => operationId);
    const shown = await page.locator('.opblock').evaluateAll((blocks) => blocks.map(({ id }) => id.split('-').pop()));
    assert.deepEqual(shown.sort(), documented.sort());
    await picture(page, 'docs-light');
  }));

test('a person picks a template, previews a copy, makes it, and finds it in the list', () =>
  visit({}, async (page) => {
    const label = 'Shopify: orders and products (en)';
    const body = { name: 'From a browser', api_key: 'k-123', variables: { shop: 'acme' } };
    const preview = await operation(page, 'PreviewCopyTemplate');
    await preview.pick('template_id', label);
    await preview.body(body);
    const previewed = await preview.send();
    assert.equal(previewed.status, 200, previewed.body);
    assert.match(previewed.body, /From a browser/);

    const copy = await operation(page, 'CopyTemplate');
    await copy.pick('template_id', label);
    assert.match(await copy.value('template_id'), /^b05c7a92-/);
    await copy.fill('Idempotency-Key', 'once');
    await copy.body(body);
    const copied = await copy.send();
    assert.equal(copied.status, 201, copied.body);
    assert.match(copied.body, /"name": "From a browser"/);
    assert.ok(copied.headers.some((line) => line.trim().startsWith('x-request-id:')), String(copied.headers));

    const again = await copy.send();
    assert.ok(again.headers.some((line) => line.trim() === 'digate-replayed: true'), String(again.headers));
    assert.equal(JSON.parse(again.body).id, JSON.parse(copied.body).id);
    // The README shows this one.
    await page.setViewportSize({ width: 1000, height: 800 });
    await copy.block.locator('.execute').evaluate((element) => element.scrollIntoView());
    await picture(page, 'docs-readme');

    const list = await operation(page, 'ListIntegrations');
    const listed = await list.send();
    assert.equal(listed.status, 200);
    assert.equal(listed.body.split('"From a browser"').length, 2, listed.body);
  }));

test('ids are filled in, and name what is there', () =>
  visit({}, async (page) => {
    const get = await operation(page, 'GetTool');
    const got = await get.send();
    assert.equal(got.status, 200, got.body);
    assert.equal(JSON.parse(got.body).id, await get.value('tool_id'));
    assert.match(new URL(got.request.url()).pathname, new RegExp(`/${await get.value('integration_id')}/`));
    await picture(page, 'docs-tool');
  }));

test('what may be left out is not sent unless it is filled in', () =>
  visit({}, async (page) => {
    const copy = await operation(page, 'CopyTemplate');
    const { request } = await copy.send();
    const sent = await request.allHeaders();
    for (const name of ['idempotency-key', 'digate-account', 'digate-timeout', 'digate-unresolved', 'prefer', 'x-request-id']) assert.equal(sent[name], undefined, name);
    assert.equal(sent.authorization, 'Bearer dev');
  }));

test('a failure shows its status, its outcome and what is wrong', () =>
  visit({ refused: [404, 422, 502] }, async (page) => {
    const copy = await operation(page, 'CopyTemplate');
    for (const [template, body, status, outcome, says] of [
      [nobody, {}, 404, 'REJECTED', /error_code/],
      [nobody, { name: 5 }, 422, 'NOT_SENT', /name/],
      ['00000000-0000-4000-8000-000000000603', {}, 502, 'UNKNOWN', /OUTCOME_UNKNOWN/],
    ]) {
      await copy.fill('template_id', template);
      await copy.body(body);
      const got = await copy.send();
      assert.equal(got.status, status, got.body);
      assert.ok(got.headers.some((line) => line.trim() === `digate-outcome: ${outcome}`), String(got.headers));
      assert.match(got.body, says);
    }
  }));

test('a bulk request is lines, and so is what comes back', () =>
  visit({}, async (page) => {
    const bulk = await operation(page, 'BulkCopyTemplate');
    const got = await bulk.send();
    assert.equal(got.status, 200, got.body);
    const lines = got.body.trim().split('\n').map((line) => JSON.parse(line));
    assert.ok(lines.length > 1 && lines.at(-1).summary, got.body);
  }));

test('a token that a person gives is sent, and forgotten with the page', () =>
  visit({ at: SERVE, refused: [401, 503] }, async (page) => {
    const list = await operation(page, 'ListTemplates');
    assert.equal((await list.send()).status, 401);
    await page.locator('.auth-wrapper .authorize').click();
    await page.locator('.modal-ux input').fill('a-secret');
    await page.locator('.modal-ux').getByRole('button', { name: 'Authorize' }).click();
    await page.locator('.modal-ux .btn-done').click();
    const { request } = await list.send();
    assert.equal((await request.allHeaders()).authorization, 'Bearer a-secret');
    assert.equal(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])), '[{},{},""]');
    await page.reload();
    const anew = await operation(page, 'ListTemplates');
    assert.equal((await anew.send()).status, 401);
  }));

test('without the page of a stand-in there is no token, no template to pick and no id', () =>
  visit({ at: SERVE }, async (page) => {
    const copy = await operation(page, 'CopyTemplate');
    assert.equal(await copy.block.locator('.examples-select-element').count(), 0);
    assert.equal(await copy.value('template_id'), '');
    assert.equal(await page.locator('.authorization__btn.locked').count(), 0);
  }));

// tabTo presses Tab until an element has the focus, which must be visible then.
const tabTo = async (page, selector) => {
  for (let presses = 0; presses < 200; presses++) {
    await page.keyboard.press('Tab');
    const style = await page.evaluate((wanted) => {
      const element = document.activeElement;
      return element.matches(wanted) ? getComputedStyle(element).outlineStyle : '';
    }, selector);
    if (style) {
      assert.notEqual(style, 'none', `${selector} does not show that it has the focus`);
      return;
    }
  }
  assert.fail(`Tab does not lead to ${selector}`);
};

test('everything can be done by keyboard', () =>
  visit({}, async (page) => {
    await tabTo(page, '.auth-wrapper .authorize');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Authorizations' });
    await dialog.waitFor();
    for (let presses = 0; presses < 10; presses++) {
      assert.ok(await dialog.evaluate((element) => element.contains(document.activeElement)), 'the focus left the dialog');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement.matches('.auth-wrapper .authorize'));

    const copy = '[id$="-CopyTemplate"].opblock';
    await tabTo(page, '#operations-templates-CopyTemplate .opblock-summary-control');
    await page.keyboard.press('Enter');
    await page.locator(`${copy} .try-out__btn`).first().waitFor();
    await tabTo(page, '#operations-templates-CopyTemplate .try-out__btn');
    await page.keyboard.press('Enter');
    await tabTo(page, '#operations-templates-CopyTemplate .examples-select-element');
    await page.keyboard.press('ArrowDown');
    await tabTo(page, '#operations-templates-CopyTemplate textarea');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('{"name": "By keyboard"}');
    await tabTo(page, '#operations-templates-CopyTemplate .execute');
    await page.keyboard.press('Enter');
    await page.locator('#operations-templates-CopyTemplate .live-responses-table .response-col_status', { hasText: '201' }).waitFor();
    await tabTo(page, '#operations-templates-CopyTemplate .live-responses-table pre');
  }));

test('the page is dark where the system is, also while it is open', () =>
  visit({ colorScheme: 'dark' }, async (page) => {
    const brightness = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, value) => sum + Number(value), 0));
    assert.ok((await brightness()) < 150);
    await picture(page, 'docs-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.waitForFunction(() => !document.documentElement.classList.contains('dark-mode'));
  }));

for (const [name, viewport, colorScheme] of [['wide-light', wide, 'light'], ['phone-dark', phone, 'dark'], ['wide-dark', wide, 'dark'], ['phone-light', phone, 'light']]) {
  test(`nothing is in the way of anybody, nor wider than the screen: ${name}`, () =>
    visit({ viewport, colorScheme }, async (page) => {
      const look = async (state) => {
        assert.deepEqual(await barriers(page), [], state);
        assert.ok((await overflow(page)) <= 0, `${state}: the page is ${await overflow(page)} too wide`);
      };
      await look('at the start');
      const copy = await operation(page, 'CopyTemplate');
      await copy.send();
      await copy.block.evaluate((element) => element.scrollIntoView());
      await picture(page, `docs-${name}-copied`);
      await look('with a response');
      await copy.block.locator('.opblock-summary-control').click();
      for (const id of ['UpdateIntegration', 'DeleteIntegration', 'ListTemplates']) {
        await page.locator(`[id$="-${id}"].opblock .opblock-summary-control`).click();
        await page.locator(`[id$="-${id}"].opblock .try-out__btn`).click();
      }
      await look('with other operations open');
      await page.locator('.auth-wrapper .authorize').click();
      await page.locator('.modal-ux').waitFor();
      await look('with the dialog');
      await page.locator('.modal-ux').getByRole('button', { name: 'Logout' }).click();
      await page.locator('.modal-ux input').waitFor();
      await look('with the dialog that asks for a token');
    }));
}
