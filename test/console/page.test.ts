/** The console's page in a real browser: what it shows, by keyboard, without a violation that axe finds. `npm run test:console` */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { DEFAULT_KEY_TEMPLATE } from '../../archive/commit-keys.ts';
import type { PageFile } from '../../cli/console/page-files.ts';
import { pageFiles } from '../../cli/console/page-files.ts';
import { queryAnswerer } from '../../cli/console/query.ts';
import { searchAnswerer } from '../../cli/console/search.ts';
import { startConsole, type TestConsole } from '../support/console-server.ts';
import type { MemoryArchive } from '../support/memory-archive.ts';
import { MemoryArchive as Empty } from '../support/memory-archive.ts';
import { PRESENT, type Scenario, scenario } from './scenario.ts';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Screenshots, to be looked at. */
const SHOTS = join(import.meta.dirname, '..', '..', 'dist', 'console');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = 60_000;

let browser: Browser;
let page: ReadonlyMap<string, PageFile>;
let well: Scenario;
let troubled: Scenario;

before(async () => {
  const executablePath = process.env['CHROMIUM'] ?? BROWSERS.find((path) => existsSync(path));
  assert.ok(
    executablePath,
    'no Chromium: install it (apt-get install chromium), or name it with CHROMIUM=/path',
  );
  // A browser of root's has no sandbox; none of its own services has a place here.
  const args = [
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ...['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
  ];
  browser = await chromium.launch({ executablePath, args });
  mkdirSync(SHOTS, { recursive: true });
  [page, well, troubled] = await Promise.all([pageFiles(), scenario(false), scenario(true)]);
});
after(() => browser.close());

interface Visit {
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  readonly archive?: MemoryArchive;
}

interface Visited extends TestConsole {
  readonly page: Page;
  /** What the browser complained of, and addresses of other places that it asked. */
  readonly complaints: string[];
}

async function visit(
  t: TestContext,
  shown: Scenario | null,
  { width = 1280, scheme = 'light' }: Visit = {},
): Promise<Visited> {
  const archive = shown?.archive ?? new Empty();
  const store = Object.assign(archive, {
    range: async (key: string, first: number, last: number) =>
      (await archive.get(key))?.subarray(first, last + 1) ?? null,
    close: () => {},
  });
  const open = { store: store as never, prefix: '', keyTemplate: DEFAULT_KEY_TEMPLATE };
  const server = await startConsole(t, {
    ...{ archive, page, now: PRESENT, span: 48 * 3_600_000 },
    sources: shown?.sources ?? [],
    groups: shown?.groups ?? null,
    answerers: {
      '/api/search': { most: 2, answer: searchAnswerer(open) },
      '/api/query': { most: 1, answer: queryAnswerer(open, { memory: 2 ** 28, cache: 2 ** 30 }) },
    },
  });
  const context = await browser.newContext({ viewport: { width, height: 860 }, colorScheme: scheme });
  t.after(() => context.close());
  context.setDefaultTimeout(WAIT_MS);
  const tab = await context.newPage();
  const complaints: string[] = [];
  tab.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  tab.on('pageerror', (error) => complaints.push(error.message));
  tab.on('request', (request) => {
    if (!request.url().startsWith(server.url)) complaints.push(request.url());
  });
  await tab.goto(server.url);
  await tab.waitForFunction(
    () => document.querySelector('.story') !== null && document.querySelector('.reading') === null,
  );
  // Rates need two looks at what is watched.
  if (shown) {
    server.at(PRESENT + 2500);
    await tab.waitForFunction(() =>
      document.querySelector('#shards')?.textContent?.includes('the last seconds'),
    );
  }
  return { ...server, page: tab, complaints };
}

/** What axe finds, a line each. */
async function violations(tab: Page): Promise<string[]> {
  await tab.evaluate(AXE);
  const found = await tab.evaluate(() =>
    // @ts-expect-error axe is there by now
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return (
    found as { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }
  ).violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  );
}

async function shoot(tab: Page, name: string): Promise<void> {
  await tab.evaluate(() => scrollTo(0, 0));
  await tab.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

const textOf = (tab: Page, selector: string): Promise<string> => tab.locator(selector).first().innerText();

test('all is well, in light: the three answers, the way of events, closed hours', async (t) => {
  const { page: tab, complaints } = await visit(t, well);
  assert.deepEqual(await tab.locator('.answer').allInnerTexts(), [
    'Everything is well',
    'Complete up to 08:00',
    'Nothing is behind',
  ]);
  assert.equal(await tab.locator('.column').nth(0).locator('.node').count(), 7);
  assert.equal(await tab.locator('.column').nth(1).locator('.node').count(), 4);
  assert.ok((await tab.locator('.wires path').count()) >= 11);
  assert.equal(await tab.locator('.bar.holed').count(), 0);
  assert.ok((await tab.locator('.bar.closed').count()) >= 29);
  assert.equal(await tab.locator('.u-over').count(), 2);
  await shoot(tab, 'well-light');
  assert.deepEqual(await violations(tab), []);
  assert.deepEqual(complaints, []);
});

test('much is wrong, in dark: what needs attention comes first, the hour of the hole is red and says why', async (t) => {
  const { page: tab, complaints } = await visit(t, troubled, { scheme: 'dark' });
  const [first, second, third] = await tab.locator('.answer').allInnerTexts();
  assert.match(first!, /^\d things need attention$/);
  assert.match(second!, /^Chunks are missing in \d hours?$/);
  assert.match(third!, /^\d+ min behind$/);
  assert.match(await textOf(tab, '.card:first-child li'), /web-7:24280 does not respond/);
  const hole = tab.locator('.bar.holed').first();
  assert.match((await hole.getAttribute('aria-label'))!, /chunks are missing/);
  await hole.click();
  assert.match(await textOf(tab, '.detail'), /web-3 sealed \d+ or more chunks that are not archived/);
  assert.match(await textOf(tab, '#instances'), /i-0bbbbbbbbbbbbbbb2\s+web\s+Terminating:Retained/);
  assert.match(await textOf(tab, '#producers tbody tr'), /web-4/);
  await shoot(tab, 'troubled-dark');
  assert.deepEqual(await violations(tab), []);
  assert.deepEqual(complaints, []);
});

test('on a phone nothing is wider than the screen, in light and dark', async (t) => {
  for (const scheme of ['light', 'dark'] as const) {
    const { page: tab, complaints } = await visit(t, troubled, { width: 390, scheme });
    const [content, screen] = await tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content! <= screen!, `${content} of ${screen}`);
    await shoot(tab, `phone-${scheme}`);
    assert.deepEqual(await violations(tab), []);
    assert.deepEqual(complaints, []);
  }
});

test('an archive without anything says what to do next', async (t) => {
  const { page: tab, complaints } = await visit(t, null);
  assert.deepEqual(await tab.locator('.answer').allInnerTexts(), [
    'Nothing is known yet',
    'Nothing is archived yet',
    'Nothing to be behind yet',
  ]);
  assert.match(await textOf(tab, '#flow'), /Start an agent and a consumer/);
  assert.match(await textOf(tab, '#blind'), /--status/);
  await shoot(tab, 'empty-light');
  assert.deepEqual(await violations(tab), []);
  assert.deepEqual(complaints, []);
});

test('by keyboard alone: to an hour, from there to a search of it, to its events and to a query', async (t) => {
  const { page: tab, complaints } = await visit(t, well);
  const active = (): Promise<string> =>
    tab.evaluate(
      () =>
        document.activeElement?.id ||
        document.activeElement?.getAttribute('aria-label') ||
        document.activeElement?.textContent ||
        '',
    );
  await tab.keyboard.press('Tab');
  assert.equal(await active(), 'Skip to the picture');
  await tab.keyboard.press('h');
  assert.match(await active(), /running/);
  await tab.keyboard.press('ArrowLeft');
  await tab.keyboard.press('ArrowLeft');
  assert.match(await active(), /2026-05-10 06:00|\d{4}-\d\d-\d\d \d\d:00, closed/);
  await tab.keyboard.press('Tab');
  assert.equal(await active(), 'Search this hour');
  await tab.keyboard.press('Enter');
  assert.equal(await active(), 'pattern');
  // The first event of each chunk.
  await tab.keyboard.type('web-1/\\d+/\\d+/0"');
  await tab.keyboard.press('Enter');
  await tab.locator('.results summary').first().waitFor();
  assert.match(await textOf(tab, '.results mark'), /web-1\//);
  await tab.locator('.results summary').first().focus();
  await tab.keyboard.press('Enter');
  assert.match(await textOf(tab, '.fields'), /chunk/);
  assert.deepEqual(await violations(tab), []);
  await tab.locator('.results summary').first().focus();
  await tab.keyboard.press('q');
  assert.equal(await active(), 'sql');
  await tab.keyboard.press('Control+A');
  await tab.keyboard.type('SELECT tag, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1');
  await tab.keyboard.press('Control+Enter');
  await tab.locator('#query tbody td').first().waitFor();
  assert.match(await textOf(tab, '#query tbody'), /nginx\.access\s+\d+/);
  await shoot(tab, 'search-and-query');
  assert.deepEqual(await violations(tab), []);
  await tab.keyboard.press('Control+A');
  await tab.keyboard.type('SELECT nothing');
  await tab.keyboard.press('Control+Enter');
  await tab.locator('#query .error').waitFor();
  assert.deepEqual(await violations(tab), []);
  assert.deepEqual(complaints, []);
});

test('what archived lines say is shown, and never becomes a part of the page', async (t) => {
  const { page: tab } = await visit(t, well);
  await tab.locator('#sql').fill(`SELECT '<img src=x onerror=alert(1)>' AS "<b>name</b>"`);
  await tab.keyboard.press('Control+Enter');
  await tab.locator('#query tbody td').first().waitFor();
  assert.equal(await textOf(tab, '#query tbody td'), '<img src=x onerror=alert(1)>');
  assert.equal(await tab.locator('#query img, #query b').count(), 0);
});

test('a hidden page asks for nothing, and goes on when it is seen', async (t) => {
  const { page: tab, hub } = await visit(t, well);
  const hide = (hidden: boolean): Promise<void> =>
    tab.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const watchers = async (wanted: number): Promise<void> => {
    while (hub.watchers !== wanted) await new Promise((resolve) => setImmediate(resolve));
  };
  await watchers(1);
  await hide(true);
  await watchers(0);
  await tab.locator('.connection.paused').waitFor();
  await hide(false);
  await watchers(1);
  await tab.locator('.connection.live').waitFor();
});
