// Looks at pages as their readers get them: with axe (WCAG 2.2 AA and its best practices), on a
// phone and on a wide screen, light and dark, as a guest and as staff; and with Lighthouse, in
// its mobile profile. Told what by JSON on standard input; writes `audit.json`, screenshots and
// Lighthouse's reports into a folder. What is good enough it doesn't know.
import { readFile, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import lighthouse from 'lighthouse';
import puppeteer from 'puppeteer-core';

const WIDTHS = { phone: { width: 390, height: 844, isMobile: true, hasTouch: true }, wide: { width: 1280, height: 900 } };
const SCHEMES = ['light', 'dark'];
// For a page with an open stream the network is never quiet.
const SETTLE_MS = 8_000;
const LOGGED_IN = 'tidewall-logged-in';
const LAB = '/lab';
const LOAD_MS = 5_000;

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const asked = JSON.parse(await text(process.stdin));
const { edge, staff, pages, folder, runs } = asked;

try {
  await mkdir(folder, { recursive: true });
  const browser = await puppeteer.launch({
    executablePath: asked.chrome,
    args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server', '--disable-background-networking'],
  });
  try {
    const readers = { guest: await browser.createBrowserContext(), staff: await browser.createBrowserContext() };
    await logIn(readers.staff);
    const looks = [];
    for (const page of pages) {
      const look = { path: page.path, axe: [], lighthouse: null };
      const seen = page.readers.map((reader) => withAxe(readers[reader], page.path, reader));
      look.axe = (await Promise.all(seen)).flat();
      process.stderr.write(`axe has looked at ${page.path}: ${look.axe.length} violations\n`);
      if (runs > 0) {
        look.lighthouse = await withLighthouse(readers[page.readers.at(-1)], page);
        process.stderr.write(`Lighthouse has looked at ${page.path}: ${Math.round(look.lighthouse.performance * 100)}\n`);
      }
      looks.push(look);
    }
    const isWithLab = runs > 0 && pages.some(({ path }) => path === LAB);
    const seen = { browser: await browser.version(), pages: looks, under_load: isWithLab ? await underLoad(readers.staff) : null };
    await writeFile(`${folder}/audit.json`, JSON.stringify(seen));
  } finally {
    await browser.close();
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

// Logs staff in as the app would, and gives them an order and a cart to look at.
async function logIn(context) {
  const page = await context.newPage();
  await page.goto(`${edge}/login`);
  const failed = await page.evaluate(async ({ email, password }, loggedIn) => {
    const call = async (method, path, body, headers) => {
      const answer = await fetch(path, {
        method, headers: { 'content-type': 'application/json', ...headers }, body: body && JSON.stringify(body),
      });
      return answer.ok ? null : `${method} ${path} answers ${answer.status}: ${await answer.text()}`;
    };
    const failed = await call('POST', '/api/session', { email, password })
      ?? await call('PUT', '/api/cart/1', { quantity: 1 })
      ?? await call('POST', '/api/orders', {}, { 'idempotency-key': crypto.randomUUID() })
      ?? await call('PUT', '/api/cart/2', { quantity: 2 });
    localStorage.setItem(loggedIn, '1');
    return failed;
  }, staff, LOGGED_IN);
  await page.close();
  if (failed) throw new Error(failed);
}

// What a page's files are called.
function fileName(path) {
  return path.replaceAll(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'home';
}

async function open(page, path) {
  await page.goto(edge + path, { waitUntil: 'load' });
  // The app says nothing of its own once it is there; an audit of a skeleton would be of no use.
  await page.waitForNetworkIdle({ idleTime: 500, timeout: SETTLE_MS }).catch(() => {});
  if (await page.evaluate(() => document.documentElement.classList.contains('unstarted'))) {
    throw new Error(`the app does not start on ${path}`);
  }
}

async function withAxe(context, path, reader) {
  const found = [];
  for (const [width, viewport] of Object.entries(WIDTHS)) {
    for (const scheme of SCHEMES) {
      const page = await context.newPage();
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ]);
      await open(page, path);
      // By the protocol, which no Content-Security-Policy of the page holds up.
      await page.evaluate(axe);
      const violations = await page.evaluate(async () => {
        const { violations } = await globalThis.axe.run(document, {
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        });
        return violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map(({ target }) => target.join(' ')) }));
      });
      found.push(...violations.map((violation) => ({ reader, width, scheme, ...violation })));
      const name = `${fileName(path)}-${reader}-${width}-${scheme}`;
      await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
      await page.close();
    }
  }
  return found;
}

async function withLighthouse(context, { path, isPrivate, isMissing }) {
  const looks = [];
  for (let run = 0; run < runs; run++) {
    const page = await context.newPage();
    const result = await lighthouse(edge + path, {
      output: 'html',
      logLevel: 'error',
      onlyCategories: ['performance', 'accessibility', 'best-practices', 'seo'],
      // What a page means to be: in no search engine, or a 404.
      skipAudits: [
        ...(isPrivate ? ['is-crawlable'] : []),
        ...(isMissing ? ['http-status-code', 'errors-in-console'] : []),
      ],
      ignoreStatusCode: isMissing,
      // wrangler's own front takes the Worker's brotli apart and sends gzip where a client names that
      // first. Cloudflare sends what the Worker does.
      extraHeaders: { 'Accept-Encoding': 'br, zstd, gzip' },
    }, undefined, page);
    if (!page.isClosed()) await page.close();
    const { categories, audits, runtimeError } = result.lhr;
    if (runtimeError) throw new Error(`Lighthouse on ${path}: ${runtimeError.message}`);
    const lacking = Object.values(categories).slice(1).flatMap(({ auditRefs }) => auditRefs)
      .filter(({ weight }) => weight > 0)
      .map(({ id }) => audits[id])
      .filter(({ score, scoreDisplayMode }) => score !== null && score < 1 && scoreDisplayMode !== 'informative')
      .map(({ id, title, displayValue, details }) => ({
        id, title: displayValue ? `${title} (${displayValue})` : title,
        where: (details?.items ?? []).slice(0, 5).map(({ node, description, source, url }) =>
          node?.selector ?? [source, description, url].filter(Boolean).join(': ')),
      }));
    looks.push({
      report: result.report,
      performance: categories.performance.score,
      accessibility: categories.accessibility.score,
      best_practices: categories['best-practices'].score,
      seo: categories.seo.score,
      largest_contentful_paint_ms: audits['largest-contentful-paint'].numericValue,
      layout_shift: audits['cumulative-layout-shift'].numericValue,
      blocking_ms: audits['total-blocking-time'].numericValue,
      bytes: audits['total-byte-weight'].numericValue,
      lacking,
    });
  }
  // The one in the middle, as Lighthouse's authors advise.
  looks.sort((one, other) => one.performance - other.performance
    || other.largest_contentful_paint_ms - one.largest_contentful_paint_ms);
  const { report, ...look } = looks[Math.floor(looks.length / 2)];
  await writeFile(`${folder}/${fileName(path)}.html`, report);
  return look;
}

// Runs each load of the Lab in turn, and uses all that can be moved meanwhile: how long from a key or a
// button until the frame after it is made. Event Timing won't do here: where what has changed is out of
// view nothing is painted, and it waits for the next frame that has something in it.
async function underLoad(context) {
  const page = await context.newPage();
  await page.setViewport(WIDTHS.wide);
  await open(page, LAB);
  await page.evaluate(() => {
    globalThis.answeredMs = [];
    const answered = ({ timeStamp }) => requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => globalThis.answeredMs.push(performance.now() - timeStamp);
      port2.postMessage(null);
    });
    for (const kind of ['keydown', 'pointerup']) addEventListener(kind, answered, true);
  });
  const shows = (name, text) => page.waitForFunction(
    (name, text) => document.querySelector(`#${name} .lab-run button`).innerText === text, {}, name, text);
  const seen = { interactions: 0, slowest_ms: 0, slowest_of: '' };
  const benches = await page.$$eval('.lab-bench', (benches) => benches.map(({ id }) => id));
  if (benches.length === 0) throw new Error('the Lab has no experiment');
  for (const name of benches) {
    const run = await page.waitForSelector(`#${name} .lab-run button:enabled`);
    await run.click();
    await shows(name, 'Stop');
    // So that there is something to draw.
    await new Promise((resolve) => { setTimeout(resolve, LOAD_MS); });
    const controls = await page.$$(`#${name} input, #${name} select`);
    const ways = await page.$$(`#${name} .lab-way`);
    if (ways.length < 2) throw new Error(`the experiment ${name} cannot be used`);
    for (const round of ['ArrowRight', 'ArrowLeft', 'ArrowRight']) {
      for (const control of controls) {
        await control.focus();
        await page.keyboard.press(round);
      }
      await page.keyboard.press('Tab');
      for (const way of ways) await way.click();
    }
    await run.click();
    await shows(name, 'Start');
    const answered = await page.evaluate(() => globalThis.answeredMs.splice(0));
    if (answered.length === 0) throw new Error(`nothing was pressed under the load of ${name}`);
    const slowest_ms = Math.max(...answered);
    process.stderr.write(`${answered.length} interactions under the load of ${name}: painted after ${slowest_ms.toFixed(0)} ms at most\n`);
    seen.interactions += answered.length;
    if (slowest_ms > seen.slowest_ms) Object.assign(seen, { slowest_ms, slowest_of: name });
  }
  await page.close();
  return seen;
}
