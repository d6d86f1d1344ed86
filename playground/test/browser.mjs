// `npm test`: the playground in a real browser. Against the gateway at PLAYGROUND_URL, or a stand-in without it.
//
//   PLAYGROUND_URL         address of a running gateway, e.g. http://127.0.0.1:4000/
//   PLAYGROUND_TOKEN       a token that this gateway takes for a user who may see `me`
//   CHROMIUM               path of the browser (/usr/bin/chromium)
//   PLAYGROUND_SCREENSHOT  file to leave a picture in
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { startGateway, token as tokenOfStandIn } from './gateway.mjs';

const WAIT = 15_000;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update', '--proxy-server=direct://',
  // The browser itself finds no host but this machine.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE [::1]',
];

const standIn = process.env.PLAYGROUND_URL ? null : await startGateway();
const token = standIn ? tokenOfStandIn : process.env.PLAYGROUND_TOKEN;
const url = new URL(process.env.PLAYGROUND_URL ?? standIn.url);
const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: FLAGS,
  viewport: { width: 1280, height: 800 },
});

/** What must not happen while the page is open. */
const strays = [];
const complaints = [];

try {
  await open();
  await step('opens with the query of the settings', opensWithItsQuery);
  await step('knows the schema by introspection', showsTheSchema);
  await step('runs the query and shows the answer', runsTheQuery);
  await step('listens to a subscription until it is stopped', listensUntilStopped);
  if (token) await step('asks as whoever the token says', asksWithTheToken);
  await step('asks nobody but the gateway', () => assert.deepEqual(strays, []));
  await step('breaks no rule of its content security policy', () => assert.deepEqual(complaints, []));
} catch (error) {
  console.error(error.message);
  if (complaints.length + strays.length > 0) console.error({ complaints, strays });
  process.exitCode = 1;
} finally {
  await browser.close();
  standIn?.stop();
  rmSync(profile, { recursive: true, force: true });
}

async function step(name, check) {
  try {
    await check();
    console.log(`ok  the playground ${name}`);
  } catch (error) {
    throw new Error(`FAILED  the playground ${name}\n${error.message}`);
  }
}

async function open() {
  const page = await browser.newPage();
  const foreign = (address) => /^(https?|wss?):/.test(address) && new URL(address).host !== url.host;
  await browser.route((address) => foreign(String(address)), (route) => route.abort());
  browser.on('request', (request) => foreign(request.url()) && strays.push(request.url()));
  page.on('websocket', (socket) => foreign(socket.url()) && strays.push(socket.url()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()));
  page.setDefaultTimeout(WAIT);
  await page.goto(String(url));
}

function thePage() {
  return browser.pages().at(-1);
}

/** The text of one of the page's editors. */
function editor(name) {
  return thePage().evaluate(
    (selector) => document.querySelector(selector)?.CodeMirror?.getValue() ?? '',
    `.graphiql-${name} .CodeMirror`,
  );
}

async function opensWithItsQuery() {
  const settings = await (await fetch(new URL('/playground/settings.json', url))).json();
  await thePage().waitForSelector('.graphiql-query-editor .CodeMirror');
  assert.equal(await thePage().title(), 'Portcullis');
  assert.notEqual(settings.defaultQuery.trim(), '');
  assert.equal((await editor('query-editor')).trim(), settings.defaultQuery.trim());
}

async function showsTheSchema() {
  const page = thePage();
  await page.click('button[aria-label="Show Documentation Explorer"]');
  await page.click('.graphiql-doc-explorer a:text-is("Query")');
  await page.waitForSelector('.graphiql-doc-explorer-field-name, .graphiql-doc-explorer-item');
}

async function runsTheQuery() {
  const page = thePage();
  await page.click('button.graphiql-execute-button');
  await page.waitForFunction(() =>
    document.querySelector('.graphiql-response .CodeMirror')?.CodeMirror.getValue().trim(),
  );
  const answer = JSON.parse(await editor('response'));
  if (process.env.PLAYGROUND_SCREENSHOT) {
    await page.screenshot({ path: process.env.PLAYGROUND_SCREENSHOT });
  }
  assert.equal(answer.errors, undefined, `errors in the answer: ${JSON.stringify(answer.errors)}`);
  assert.ok(answer.data && Object.values(answer.data).some((value) => value !== null));
}

/** Puts an operation of this name into the editor, runs it and returns the request. */
async function run(name, operation) {
  const page = thePage();
  await page.evaluate((text) => {
    document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue(text);
    document.querySelector('.graphiql-response .CodeMirror').CodeMirror.setValue('');
  }, operation);
  // The editor tells the name of its operation a moment later, and with it the tab.
  await page.waitForSelector(`.graphiql-tab-button:text-is("${name}")`);
  const [request] = await Promise.all([
    page.waitForRequest((sent) => sent.method() === 'POST' && sent.postDataJSON()?.query === operation),
    page.click('button.graphiql-execute-button'),
  ]);
  return request;
}

/** Until the answer that is shown has this text in it. */
function untilShown(text) {
  return thePage().waitForFunction(
    (wanted) => document.querySelector('.graphiql-response .CodeMirror')?.CodeMirror.getValue().includes(wanted),
    text,
  );
}

async function listensUntilStopped() {
  const page = thePage();
  const field = page.locator('input[name="token"]');
  if (token) await field.fill(token);
  const request = await run('Told', 'subscription Told { notificationAdded(userId: 1) { text } }');
  const headers = await request.allHeaders();
  assert.equal(headers.accept, 'text/event-stream');
  assert.equal(headers.authorization, token && `Bearer ${token}`);
  // Its head comes when the stream is open: what happens from here on is heard.
  await request.response();
  const { errors } = await placeOrder();
  assert.equal(errors, undefined, JSON.stringify(errors));
  await untilShown('Thank you for order');
  const ended = page.waitForEvent('requestfailed', (failed) => failed === request);
  await page.click('button.graphiql-execute-button');
  await ended;
  await page.waitForSelector('button.graphiql-execute-button[aria-label^="Execute"]');
  await field.fill('');
}

async function placeOrder() {
  const query = 'mutation { placeOrder(input: { userId: 1, lines: [{ productId: "P-0042", quantity: 1 }] }) { id } }';
  const { endpoint } = await (await fetch(new URL('/playground/settings.json', url))).json();
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(new URL(endpoint, url), { method: 'POST', headers, body: JSON.stringify({ query }) });
  return reply.json();
}

/** Sends the query `Me` and returns the request's credentials and the answer. */
async function askMe() {
  const request = await run('Me', 'query Me { me { name } }');
  await untilShown('"me"');
  const { authorization } = await request.allHeaders();
  return { authorization, url: request.url(), answer: JSON.parse(await editor('response')) };
}

async function asksWithTheToken() {
  const field = thePage().locator('input[name="token"]');
  const nobody = await askMe();
  assert.equal(nobody.authorization, undefined);
  assert.equal(nobody.answer.data.me, null);

  await field.fill(`Bearer ${token}`);
  assert.equal(await field.inputValue(), token, 'the scheme is left out');
  const somebody = await askMe();
  assert.equal(somebody.authorization, `Bearer ${token}`);
  assert.notEqual(somebody.answer.data.me.name, '');
  assert.ok(!somebody.url.includes(token));

  const kept = await thePage().evaluate(() => [
    Object.values({ ...localStorage }).join(), Object.values({ ...sessionStorage }).join(), document.cookie,
  ]);
  assert.ok(!kept[0].includes(token) && !kept[2].includes(token), 'it is kept for this tab only');
  assert.ok(kept[1].includes(token));
  await thePage().reload();
  await thePage().waitForSelector('.graphiql-query-editor .CodeMirror');
  assert.equal(await field.inputValue(), token);

  await field.fill('');
  assert.equal((await askMe()).authorization, undefined);
  assert.equal(await thePage().evaluate(() => sessionStorage.getItem('portcullis:token')), null);
}
