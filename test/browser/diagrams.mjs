// The diagrams of the pages, which a reader on GitHub sees as Mermaid draws them.
//
// PAGES are the pages, separated by colons, CHROMIUM the browser, PACKAGES the folder of
// the packages, and PICTURES a folder for screenshots.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';

const { PAGES, CHROMIUM, PACKAGES, PICTURES } = process.env;
const require = createRequire(join(PACKAGES, 'package.json'));
const { chromium } = require('playwright-core');

let browser, page;
before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'], timeout: 60_000 });
  page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
  await page.setContent('<!doctype html><body></body>');
  await page.addScriptTag({ path: require.resolve('@mermaid-js/tiny') });
  await page.evaluate(() => mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' }));
});
after(() => browser.close());

for (const path of PAGES.split(':')) {
  const diagrams = [...readFileSync(path, 'utf8').matchAll(/^```mermaid\n(.*?)^```$/gms)];
  for (const [n, [, text]] of diagrams.entries()) {
    const name = `${basename(path, '.md')}-${n + 1}`;
    test(`${name} is drawn`, async () => {
      await page.evaluate(async ([id, source]) => {
        document.body.innerHTML = (await mermaid.render(id, source)).svg;
      }, [`diagram-${name}`, text]);
      const { width, height } = await page.locator('svg').first().boundingBox();
      assert.ok(width > 100 && height > 100, `${width} × ${height}`);
      await page.locator('svg').first().screenshot({ path: join(PICTURES, `diagram-${name}.png`) });
    });
  }
}
